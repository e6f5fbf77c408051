// The registry alone: with the push gateway beside it comes an HTTP client, TLS and OpenTelemetry, which hold requests up for
// 15 ms while they load. The package does not type its modules one by one.
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}
