import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { serviceTimesSource } from './derive.ts';

const header = 'model,hardware,prompt_size,batch_size,token_size,prompt_time,token_time,tensor_parallel';

test('repeated runs become one median row for each prompt size and batch', () => {
  const source = serviceTimesSource(
    [
      header,
      'm,h100-80gb,512,2,128,90,31,8',
      'm,h100-80gb,512,2,128,70,30,8',
      'm,h100-80gb,512,2,128,80.04,99,8',
      'm,h100-80gb,128,1,128,10,20,8',
      'm,h100-80gb,128,1,128,11,21,8',
      'm,h100-80gb-pcap,128,1,128,99,99,8',
    ].join('\n'),
  );
  expect(source.slice(source.indexOf('= {'))).toBe(
    "= {\n  'm/h100/8': [\n    [128, 1, 10.5, 20.5],\n    [512, 2, 80, 31],\n  ],\n};\n",
  );
});

test('a file without the needed columns is refused', () => {
  expect(() => serviceTimesSource('model,hardware\nm,h100-80gb')).toThrow('prompt_size');
});

const published = new URL('../../../../shared/traces/perf_splitwise_a100_h100.csv.gz', import.meta.url);
const whenPublished = existsSync(published) ? test : test.skip;

whenPublished('the committed table is what the published measurements give', () => {
  const csv = gunzipSync(readFileSync(published)).toString('utf8');
  const committed = readFileSync(new URL('service-times-table.ts', import.meta.url), 'utf8');
  expect(serviceTimesSource(csv)).toBe(committed);
});
