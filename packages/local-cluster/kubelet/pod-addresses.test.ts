import { expect, test } from '@jest/globals';
import { claimPodAddresses, createRotation } from './pod-addresses.ts';

test('a released address rests until all others have been used', () => {
  const { take, release } = createRotation('127.64.9');
  const first = take();
  release(first);
  const others = Array.from({ length: 253 }, take);
  expect([first, others[0], others.at(-1), others.includes(first)]).toEqual([
    '127.64.9.1',
    '127.64.9.2',
    '127.64.9.254',
    false,
  ]);
  expect(take()).toBe(first);
  expect(take).toThrow('All 254 pod addresses of 127.64.9.0/24 are in use');
});

test('two clusters on one machine have no address in common', async () => {
  const one = await claimPodAddresses();
  const other = await claimPodAddresses();
  const block = (address: string) => address.split('.').slice(0, 3).join('.');
  expect(block(one.take())).not.toBe(block(other.take()));
  await Promise.all([one.stop(), other.stop()]);
});
