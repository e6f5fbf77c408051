// Everything about one policy: how many replicas and why, its metrics against their targets, what was changed when.
import type { PolicyView } from '../../policy-view.ts';
import type { TrailPoint } from '../../trail.ts';
import { Chart, type Series, shown } from './chart.tsx';

const stateColors: Readonly<Record<string, string>> = {
  serving: '--green',
  warming: '--teal',
  loading: '--blue',
  pulling: '--violet',
  requested: '--grey',
  unschedulable: '--orange',
  failing: '--red',
  lost: '--ink',
  draining: '--yellow',
};
/** From the bottom of the picture to its top. */
const stackOrder = [
  'serving',
  'draining',
  'warming',
  'loading',
  'pulling',
  'requested',
  'unschedulable',
  'lost',
  'failing',
];
const perReplica = 'perReplica';

interface PanelProps {
  readonly policy: PolicyView;
  readonly points: readonly TrailPoint[];
  readonly states: readonly string[];
}

export function PolicyPanel({ policy, points, states }: PanelProps) {
  const { replicas, decision, signals, traffic } = policy;
  const times = points.map(({ at }) => at / 1000);
  const serving = states.indexOf('serving');
  return (
    <section class="panel">
      <header>
        <div>
          <h2>
            {policy.namespace}/{policy.name}
          </h2>
          <p class="muted">
            scales {policy.target || 'nothing'}
            {policy.mode !== 'Active' && policy.mode !== '' && <span class="badge warn">{policy.mode}</span>}
            {policy.paused !== 'none' && <span class="badge warn">paused: {policy.paused}</span>}
            <span class={`badge ${policy.ready.status === 'True' ? 'good' : 'bad'}`} title={policy.ready.message}>
              {policy.ready.status === 'True' ? 'Ready' : policy.ready.reason}
            </span>
          </p>
        </div>
        {replicas && (
          <div class="size">
            <strong>{replicas.current}</strong>
            {replicas.desired !== replicas.current && <span> → {replicas.desired}</span>}
            <small>
              of {replicas.min} to {replicas.max}
              {replicas.schedule !== undefined && ` (${replicas.schedule})`}
            </small>
          </div>
        )}
      </header>
      {policy.ready.status !== 'True' && <p class="notice">{policy.ready.message || policy.ready.reason}</p>}
      {decision && (
        <div class="decision">
          <p>
            <span class="reason">{decision.reason}</span> {decision.message}
          </p>
          <ol>
            <li>
              the metrics ask for {shown(decision.proposal, '')} ({decision.algorithm}
              {decision.winner !== undefined && `, ${decision.winner} decides`})
            </li>
            {policy.forecast && (
              <li>
                {shown(policy.forecast.replicas, '')} foreseen by {policy.forecast.model} (score{' '}
                {shown(policy.forecast.score, '')}
                {policy.forecast.score >= 1 && ': no better than "as now"'})
              </li>
            )}
            {decision.steps.map(({ text }) => (
              <li>{text}</li>
            ))}
          </ol>
        </div>
      )}
      {points.length > 1 && (
        <>
          <Chart
            title="Replicas"
            unit=""
            height={210}
            times={times}
            series={[
              ...stackOrder
                .filter((state) => states.includes(state))
                .map(
                  (state): Series => ({
                    label: state,
                    color: stateColors[state] ?? '--grey',
                    style: 'area',
                    values: points.map((point) => point.replicas[states.indexOf(state)] ?? 0),
                  }),
                ),
              { label: 'asked for', color: '--ink', style: 'step', values: points.map(({ desired }) => desired) },
              ...(points.some(({ forecast }) => forecast !== undefined)
                ? [
                    {
                      label: 'foreseen',
                      color: '--orange',
                      style: 'target',
                      values: points.map(({ forecast }) => forecast ?? null),
                    } satisfies Series,
                  ]
                : []),
            ]}
          />
          <div class="grid">
            {signals.map((signal) => (
              <Chart
                key={signal.name}
                title={signal.name}
                unit={signal.unit}
                height={150}
                times={times}
                series={[
                  {
                    label: signal.shape === perReplica ? 'in all' : 'measured',
                    color: '--blue',
                    style: 'line',
                    values: points.map((point) => point.signals[signal.name] ?? null),
                  },
                  {
                    label: signal.shape === perReplica ? 'target × serving' : 'target',
                    color: '--orange',
                    style: 'target',
                    values: points.map((point) =>
                      signal.shape === perReplica ? signal.target * (point.replicas[serving] ?? 0) : signal.target,
                    ),
                  },
                ]}
              />
            ))}
            <Chart
              title="Requests"
              unit=""
              height={150}
              times={times}
              series={[
                { label: 'in flight', color: '--blue', style: 'line', values: points.map(({ inFlight }) => inFlight) },
                { label: 'waiting', color: '--red', style: 'line', values: points.map(({ queue }) => queue) },
                {
                  label: 'arriving a second',
                  color: '--teal',
                  style: 'line',
                  values: points.map(({ arrivals }) => arrivals),
                },
              ]}
            />
          </div>
        </>
      )}
      <div class="tables">
        {signals.length > 0 && (
          <table>
            <caption>Metrics</caption>
            <thead>
              <tr>
                <th>name</th>
                <th>state</th>
                <th class="number">value</th>
                <th class="number">target</th>
                <th class="number">age</th>
                <th>source</th>
              </tr>
            </thead>
            <tbody>
              {signals.map((signal) => (
                <tr title={signal.text}>
                  <td>{signal.name}</td>
                  <td>
                    <span class={`state ${signal.state}`}>{signal.state}</span>
                  </td>
                  <td class="number">{signal.state === 'idle' ? '–' : shown(signal.value, signal.unit)}</td>
                  <td class="number">
                    {shown(signal.target, signal.unit)}
                    {signal.shape === perReplica && ' each'}
                  </td>
                  <td class="number">{signal.ageMs === undefined ? '–' : `${(signal.ageMs / 1000).toFixed(1)} s`}</td>
                  <td>{signal.source}</td>
                </tr>
              ))}
            </tbody>
            {traffic && (
              <tfoot>
                <tr>
                  <td colSpan={6} class="muted">
                    {traffic.pods} of {traffic.pods + traffic.silentPods} pods report;{' '}
                    {shown(traffic.arrivalsPerSecond, '')} requests a second arrive,{' '}
                    {shown(traffic.completionsPerSecond, '')} are answered
                  </td>
                </tr>
              </tfoot>
            )}
          </table>
        )}
        <table class="events">
          <caption>Changes of size</caption>
          <tbody>
            {policy.events.length === 0 && (
              <tr>
                <td class="muted">none since the controller started</td>
              </tr>
            )}
            {policy.events.toReversed().map(({ at, from, to, reason, message }) => (
              <tr key={at} title={message}>
                <td class="muted">{new Date(at).toLocaleTimeString('en-GB')}</td>
                <td class={to > from ? 'up' : 'down'}>
                  {from} → {to}
                </td>
                <td>
                  <b>{reason}</b>
                  <div class="muted">{message.replace(/^[^:]*: /, '')}</div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
