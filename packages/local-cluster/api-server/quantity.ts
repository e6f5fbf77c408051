// Kubernetes quantities: `500m`, `1.5Gi`, `2e3`.
const pattern = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE]?)|[eE]([+-]?\d+))$/;
const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The amount as a number; undefined when the text is no quantity. */
export function quantityOf(text: unknown): number | undefined {
  const match = pattern.exec(String(text));
  if (!match) return undefined;
  const factor = match[3] !== undefined ? 10 ** Number(match[3]) : (factors[match[2] ?? ''] ?? 1);
  return Number(match[1]) * factor;
}
