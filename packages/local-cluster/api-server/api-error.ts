// Every refusal of the API server is a Status object with a code, a reason of Kubernetes' closed list and, where fields
// are wrong, a cause for each of them. The wording follows the real server: clients and people search for it.

export interface StatusCause {
  reason?: string;
  message: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, never>;
  status: 'Failure' | 'Success';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code?: number;
}

/** Which resource an error speaks of: `pods "web" not found`, `deployments.apps "web" already exists`. */
export interface Subject {
  readonly group: string;
  readonly resource: string;
  readonly name: string;
}

export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

export const isApiError = (error: unknown, code?: number): error is ApiError =>
  error instanceof ApiError && (code === undefined || error.code === code);

export const statusOf = (error: ApiError): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: error.message,
  reason: error.reason,
  ...(error.details && { details: error.details }),
  code: error.code,
});

export const successStatus = (details: StatusDetails): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details,
});

const qualified = ({ group, resource }: Subject) => (group === '' ? resource : `${resource}.${group}`);
const detailsOf = ({ group, resource, name }: Subject): StatusDetails => ({
  ...(name !== '' && { name }),
  ...(group !== '' && { group }),
  kind: resource,
});

export const notFound = (subject: Subject) =>
  new ApiError(404, 'NotFound', `${qualified(subject)} "${subject.name}" not found`, detailsOf(subject));

export const noSuchPath = () =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource', { causes: [] });

export const alreadyExists = (subject: Subject) =>
  new ApiError(409, 'AlreadyExists', `${qualified(subject)} "${subject.name}" already exists`, detailsOf(subject));

export const conflict = (subject: Subject, why: string, causes?: StatusCause[]) =>
  new ApiError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(subject)} "${subject.name}": ${why}`, {
    ...detailsOf(subject),
    ...(causes && { causes }),
  });

export const staleVersion = (subject: Subject) =>
  conflict(subject, 'the object has been modified; please apply your changes to the latest version and try again');

export const badRequest = (message: string) => new ApiError(400, 'BadRequest', message);

export const forbidden = (subject: Subject, why: string) =>
  new ApiError(
    403,
    'Forbidden',
    `${qualified(subject)} ${subject.name === '' ? '' : `"${subject.name}" `}is forbidden: ${why}`,
    detailsOf(subject),
  );

export const unauthorized = () => new ApiError(401, 'Unauthorized', 'Unauthorized');

export const expired = (message: string) => new ApiError(410, 'Expired', message);

export const methodNotAllowed = () =>
  new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export const unsupportedMediaType = (accepted: readonly string[]) =>
  new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

export const tooLarge = (limit: number) =>
  new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);

export const tooManyRequests = (message: string) =>
  new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds: 1 });

export const internalError = (message: string) =>
  new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });

/** One wrong field, in the words of Kubernetes' field.Error. */
export interface FieldError {
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueNotSupported'
    | 'FieldValueTypeInvalid'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  readonly field: string;
  readonly message: string;
}

/** A value as Go's field errors print it: strings quoted, everything else as JSON. */
export const shown = (value: unknown): string => JSON.stringify(value) ?? 'null';

export const requiredField = (field: string, detail = ''): FieldError => ({
  reason: 'FieldValueRequired',
  field,
  message: detail === '' ? 'Required value' : `Required value: ${detail}`,
});
export const invalidField = (field: string, value: unknown, detail: string): FieldError => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${shown(value)}: ${detail}`,
});
export const duplicateField = (field: string, value: unknown): FieldError => ({
  reason: 'FieldValueDuplicate',
  field,
  message: `Duplicate value: ${shown(value)}`,
});
export const forbiddenField = (field: string, detail: string): FieldError => ({
  reason: 'FieldValueForbidden',
  field,
  message: `Forbidden: ${detail}`,
});
export const unsupportedField = (field: string, value: unknown, allowed: readonly string[]): FieldError => ({
  reason: 'FieldValueNotSupported',
  field,
  message: `Unsupported value: ${shown(value)}: supported values: ${[...allowed].sort().map(shown).join(', ')}`,
});

export function invalid(group: string, kind: string, name: string, errors: readonly FieldError[]): ApiError {
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  const text = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${group === '' ? kind : `${kind}.${group}`} "${name}" is invalid: ${text}`, {
    ...(name !== '' && { name }),
    ...(group !== '' && { group }),
    kind,
    causes: errors.map(({ reason, field, message }) => ({ reason, message, field })),
  });
}
