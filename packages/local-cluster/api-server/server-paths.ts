// The paths of an API server that are about itself and not about an object.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { noSuchPath } from './api-error.ts';
import { aggregated, coreVersions, groupList, groupOf, resourceList } from './discovery.ts';
import { json, send } from './http-answer.ts';
import { aggregatedForm } from './http-request.ts';
import type { OpenApi } from './openapi.ts';
import type { Registry } from './registry.ts';

export interface ServerFacts {
  readonly registry: Registry;
  readonly openApi: OpenApi;
  readonly version: object;
  readonly address: () => string;
}

const openApiWireType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const wantsProtobuf = ({ headers }: IncomingMessage) => /proto-openapi/.test(headers.accept ?? '');

/** Discovery, OpenAPI, health and version; false when the path is none of these. */
export function answerAboutServer(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { registry, openApi, version, address }: ServerFacts,
): boolean {
  const words = path.split('/').slice(1);
  const [first, second, third] = words;
  const form = aggregatedForm(request.headers.accept);
  const found = (document: unknown) => {
    if (document === undefined) throw noSuchPath();
    send(response, 200, typeof document === 'string' ? document : JSON.stringify(document));
    return true;
  };
  const discovery = (core: boolean) => {
    if (form === undefined) return found(core ? coreVersions(address()) : groupList(registry));
    send(
      response,
      200,
      JSON.stringify(aggregated(registry, core, form)),
      `${json};g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`,
    );
    return true;
  };
  if (first === 'healthz' || first === 'livez' || first === 'readyz') {
    send(response, 200, 'ok', 'text/plain; charset=utf-8');
    return true;
  }
  if (path === '/')
    return found({
      paths: ['/api', '/api/v1', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
    });
  if (path === '/version') return found(version);
  if (path === '/api') return discovery(true);
  if (path === '/apis') return discovery(false);
  if (path === '/openapi/v2') {
    if (!wantsProtobuf(request)) return found(openApi.second());
    send(response, 200, openApi.secondInWire(), openApiWireType);
    return true;
  }
  if (path === '/openapi/v3') return found(openApi.index());
  if (path.startsWith('/openapi/v3/')) return found(openApi.third(path.slice('/openapi/v3/'.length)));
  if (first === 'api' && words.length === 2) return found(resourceList(registry, '', second ?? ''));
  if (first === 'apis' && words.length === 2) return found(groupOf(registry, second ?? ''));
  if (first === 'apis' && words.length === 3) return found(resourceList(registry, second ?? '', third ?? ''));
  return false;
}
