// Any state of any devices of a node, written as dcgm-exporter and Prometheus write it, is read back as it was.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type DcgmDevice, readDcgm } from './index.ts';

interface DeviceState {
  readonly uuid: string;
  readonly model: string;
  /** Of a MIG device: its id and profile. Those have no utilisation and no sensors of their own. */
  readonly mig: readonly [id: string, profile: string] | undefined;
  readonly owner: readonly [namespace: string, pod: string, container: string] | undefined;
  readonly utilization: number | undefined;
  readonly celsius: number | undefined;
  readonly watts: number | undefined;
  readonly usedMiB: number;
  readonly freeMiB: number;
  readonly engineActive: number | undefined;
}

const perhaps = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}[a-z0-9]$/);
const device: fc.Arbitrary<DeviceState> = fc.record({
  uuid: fc.uuid().map((uuid) => `GPU-${uuid.slice(0, -1)}1`),
  model: fc.constantFrom('NVIDIA H100 80GB HBM3', 'Tesla T4', 'NVIDIA L40S'),
  mig: perhaps(fc.tuple(fc.nat(14).map(String), fc.constantFrom('1g.10gb', '3g.40gb'))),
  owner: perhaps(fc.tuple(word, word, word)),
  utilization: perhaps(fc.nat(100)),
  celsius: perhaps(fc.integer({ min: 1, max: 110 })),
  watts: perhaps(fc.nat(150_000).map((thousandths) => thousandths / 100)),
  usedMiB: fc.nat(200_000),
  freeMiB: fc.nat(200_000),
  engineActive: perhaps(fc.nat(1_000_000).map((millionths) => millionths / 1_000_000)),
});
const devices = fc.uniqueArray(device, { minLength: 1, maxLength: 8, selector: ({ uuid }) => uuid });

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
}

const blankNumber = '9223372036854775794';

/** What a node says; DCGM writes a huge number, or nothing, for what a card does not tell. */
function seriesOf(
  states: readonly DeviceState[],
  { scraped, blanks }: { scraped: boolean; blanks: boolean },
): Series[] {
  const families: readonly (readonly [string, (state: DeviceState) => number | undefined])[] = [
    ['DCGM_FI_DEV_GPU_UTIL', ({ utilization, mig }) => (mig === undefined ? utilization : undefined)],
    ['DCGM_FI_DEV_GPU_TEMP', ({ celsius }) => celsius],
    ['DCGM_FI_DEV_POWER_USAGE', ({ watts }) => watts],
    ['DCGM_FI_DEV_FB_USED', ({ usedMiB }) => usedMiB],
    ['DCGM_FI_DEV_FB_FREE', ({ freeMiB }) => freeMiB],
    ['DCGM_FI_PROF_GR_ENGINE_ACTIVE', ({ engineActive }) => engineActive],
  ];
  const prefix = scraped ? 'exported_' : '';
  return families.flatMap(([name, of]) =>
    states.flatMap((state, index) => {
      const value = of(state);
      if (value === undefined && !blanks) return [];
      const [namespace, pod, container] = state.owner ?? ['', '', ''];
      const labels = {
        gpu: String(index),
        UUID: state.uuid,
        device: `nvidia${index}`,
        modelName: state.model,
        Hostname: 'node-1',
        ...(state.mig === undefined ? {} : { GPU_I_PROFILE: state.mig[1], GPU_I_ID: state.mig[0] }),
        ...(scraped ? { job: 'dcgm', namespace: 'monitoring', pod: 'dcgm-exporter-x', container: 'exporter' } : {}),
        [`${prefix}namespace`]: namespace,
        [`${prefix}pod`]: pod,
        [`${prefix}container`]: container,
      };
      return [{ name, labels, value: String(value ?? blankNumber) }];
    }),
  );
}

const pageOf = (series: readonly Series[]): string =>
  [...new Set(series.map(({ name }) => name))]
    .map((family) => {
      const samples = series.filter(({ name }) => name === family);
      const line = ({ labels, value }: Series) =>
        `${family}{${Object.entries(labels)
          .map(([label, text]) => `${label}="${text}"`)
          .join(',')}} ${value}\n`;
      return `# HELP ${family} What it is (in %).\n# TYPE ${family} gauge\n${samples.map(line).join('')}`;
    })
    .join('');

const answerOf = (series: readonly Series[]): string =>
  JSON.stringify({
    status: 'success',
    data: {
      resultType: 'vector',
      result: series.map(({ name, labels, value }) => ({
        metric: { __name__: name, ...labels },
        value: [1_770_000_000.5, value],
      })),
    },
  });

const stateOf = (found: DcgmDevice) => [
  found.uuid,
  found.migInstance,
  found.migProfile,
  found.owner?.namespace,
  found.owner?.pod,
  found.owner?.container,
  found.utilizationPercent,
  found.temperatureCelsius,
  found.powerWatts,
  found.memoryUsedMiB,
  found.memoryFreeMiB,
  found.memoryTotalMiB,
  found.engineActiveRatio,
];

test.each([
  ['the page of an exporter', pageOf, { scraped: false, blanks: true }],
  ['one without what is not known', pageOf, { scraped: false, blanks: false }],
  ['the page of a federation', pageOf, { scraped: true, blanks: true }],
  ['the answer of Prometheus', answerOf, { scraped: true, blanks: false }],
])('%s is read back as it was', (_what, write, how) => {
  fc.assert(
    fc.property(devices, (states) => {
      const reading = readDcgm(write(seriesOf(states, how)));
      expect(reading.problems).toEqual([]);
      const found = new Map(reading.devices.map((read) => [read.uuid, stateOf(read)]));
      expect(states.map(({ uuid }) => found.get(uuid))).toEqual(
        states.map((state) => [
          state.uuid,
          state.mig?.[0],
          state.mig?.[1],
          ...(state.owner ?? [undefined, undefined, undefined]),
          state.mig === undefined ? state.utilization : undefined,
          state.celsius,
          state.watts,
          state.usedMiB,
          state.freeMiB,
          state.usedMiB + state.freeMiB,
          state.engineActive,
        ]),
      );
    }),
    { numRuns: 100 },
  );
});
