// Checks of single fields that kinds share; each gives the problems it finds.
import { type FieldError, invalidField, requiredField, unsupportedField } from './api-error.ts';
import type { JsonObject } from './kube-object.ts';

export const portName = /^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;
export const isPort = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
export const portText = 'must be between 1 and 65535, inclusive';

export function oneOf(object: JsonObject, key: string, place: string, allowed: readonly string[]): FieldError[] {
  const value = object[key];
  return value === undefined || allowed.includes(String(value))
    ? []
    : [unsupportedField(`${place}.${key}`, value, allowed)];
}

export function nonNegative(object: JsonObject, key: string, place: string): FieldError[] {
  const value = object[key];
  return typeof value === 'number' && value < 0
    ? [invalidField(`${place}.${key}`, value, 'must be greater than or equal to 0')]
    : [];
}

export function portReference(value: unknown, place: string): FieldError[] {
  if (value === undefined) return [requiredField(place)];
  if (typeof value === 'number') return isPort(value) ? [] : [invalidField(place, value, portText)];
  return portName.test(String(value))
    ? []
    : [
        invalidField(
          place,
          value,
          'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), and be no more than 15 characters',
        ),
      ];
}
