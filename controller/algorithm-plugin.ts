// Algorithms that are not ours: an ES module on the controller's own disk, or an HTTP endpoint. Either is given the policy
// and the snapshot and answers with replicas; `decide` judges the answer, and decides itself where there is none in time.
import { realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Clock } from '@kubeai/daemon';
import type { PluginAnswer, Snapshot } from '@kubeai/decision';
import type { Policy } from '@kubeai/policy';
import { Agent, request } from 'undici';
import { limits } from './limits.ts';

/** What a plugin is called with. A module's default export may return its answer or promise it. */
export interface PluginInput {
  readonly policy: Policy;
  readonly snapshot: Snapshot;
}

export interface AlgorithmPlugins {
  /** Never rejects: what goes wrong is an answer too. Undefined for a policy without a plugin. */
  ask(policy: Policy, snapshot: Snapshot): Promise<PluginAnswer | undefined>;
  stop(): Promise<void>;
}

/**
 * @param directory where modules may lie; whoever may write policies could run any file of the controller otherwise
 */
export function createAlgorithmPlugins(clock: Clock, directory: string | undefined): AlgorithmPlugins {
  const pool = new Agent({ connections: 16 });
  const modules = new Map<string, Promise<unknown>>();

  /** The module's function. A module is loaded once; a new version needs a new name, or a restart. */
  async function load(path: string): Promise<(input: PluginInput) => unknown> {
    if (directory === undefined) throw new Error('modules are not enabled: give the controller --plugin-directory');
    const root = await realpath(directory);
    const file = await realpath(resolve(root, path)).catch(() => undefined);
    if (file === undefined || !file.startsWith(root + sep)) throw new Error(`${directory} has no module ${path}`);
    const loading = modules.get(file) ?? import(pathToFileURL(file).href);
    modules.set(file, loading);
    const loaded = (await loading.catch((cause: unknown) => {
      modules.delete(file);
      throw cause;
    })) as { default?: unknown };
    if (typeof loaded.default !== 'function') throw new Error(`${path} exports no function as its default`);
    return loaded.default as (input: PluginInput) => unknown;
  }

  async function post(url: string, input: PluginInput, signal: AbortSignal): Promise<unknown> {
    const response = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(input),
      dispatcher: pool,
      signal,
    });
    let text = '';
    for await (const chunk of response.body.setEncoding('utf8')) {
      text += chunk;
      if (text.length > limits.pluginBytes) throw new Error('the plugin answers without end');
    }
    if (response.statusCode !== 200) throw new Error(`the plugin answered with status ${response.statusCode}`);
    return JSON.parse(text);
  }

  return {
    async ask(policy, snapshot) {
      const { plugin } = policy.algorithm;
      if (plugin === undefined) return undefined;
      const input = { policy, snapshot };
      const deadline = new AbortController();
      const late = clock.sleep(plugin.timeout, deadline.signal).then((): never => {
        throw new Error(`the plugin did not answer within ${plugin.timeout} ms`);
      });
      try {
        const answered =
          plugin.kind === 'http'
            ? post(plugin.url, input, deadline.signal)
            : load(plugin.path).then((decide) => decide(input));
        return { kind: 'answer', value: await Promise.race([answered, late]) };
      } catch (cause) {
        return { kind: 'failed', cause: (cause as Error).message.slice(0, 200) };
      } finally {
        late.catch(() => undefined);
        deadline.abort();
      }
    },
    stop: () => pool.destroy(),
  };
}
