// Label selectors in kubectl's form (`app=web,tier in (a,b),!canary`), applied here so that pods already in memory can be
// chosen without asking the API server.

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

/** Whether labels match. Throws when the selector cannot be read: the wrong pods would be the wrong number. */
export function labelSelector(text: string): (labels: Readonly<Record<string, string>> | undefined) => boolean {
  const requirements = split(text).map(requirementOf);
  const none: Readonly<Record<string, string>> = {};
  return (labels) => requirements.every((holds) => holds(labels ?? none));
}

/** Cuts at commas outside parentheses. */
function split(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function requirementOf(text: string): Requirement {
  const set = /^([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key, operator] = set as unknown as [string, string, string];
    const values = new Set(set[3]!.split(',').map((value) => value.trim()));
    return operator === 'in'
      ? (labels) => labels[key] !== undefined && values.has(labels[key])
      : (labels) => labels[key] === undefined || !values.has(labels[key]);
  }
  const equality = /^([^\s!=]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (equality !== null) {
    const [, key, operator, value] = equality as unknown as [string, string, string, string];
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const existence = /^(!?)\s*([^\s!=()<>]+)$/.exec(text);
  if (existence === null) throw new Error(`label selector cannot be read at "${text}"`);
  const [, not, key] = existence as unknown as [string, string, string];
  return (labels) => (labels[key] === undefined) === (not === '!');
}
