// Label selectors, as the API defines them.
import type { LabelSelector } from './objects.ts';

/** An empty selector matches everything, an absent one nothing. */
export function selects(selector: LabelSelector | undefined, labels: Record<string, string> = {}): boolean {
  if (selector === undefined) return false;
  const plain = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return plain && (selector.matchExpressions ?? []).every((expression) => holds(expression, labels));
}

function holds(expression: { key: string; operator: string; values?: string[] }, labels: Record<string, string>) {
  const value = labels[expression.key];
  const listed = value !== undefined && (expression.values ?? []).includes(value);
  switch (expression.operator) {
    case 'In':
      return listed;
    case 'NotIn':
      return !listed;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
