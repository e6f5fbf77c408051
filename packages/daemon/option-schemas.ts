// The few value shapes that every command line has. Messages complete the sentence "--flag …".
import { type Milliseconds, seconds } from '@kubeai/units';
import { type ZodType, z } from 'zod';
import { type LogLevel, logLevels } from './log.ts';

const numeric = (expected: string) =>
  z.string().transform((text, context) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    context.addIssue({ code: 'custom', message: `must be ${expected}, not "${text}"` });
    return z.NEVER;
  });

/** A TCP port; 0 lets the system choose. */
export const portOption = (fallback: number): ZodType<number> =>
  numeric('a port between 0 and 65535')
    .refine((value) => Number.isInteger(value) && value >= 0 && value <= 65_535, 'must be a port between 0 and 65535')
    .default(fallback);

const span = (least: number) =>
  numeric('a number of seconds')
    .refine((value) => value >= least, `must be at least ${least} seconds`)
    .transform(seconds);

/** A span given in seconds, fractions allowed. */
export const secondsOption = (fallback: number, least = 0): ZodType<Milliseconds> =>
  span(least).default(seconds(fallback));

/** The same, where nothing given means that there is no such span. */
export const optionalSecondsOption = (least = 0): ZodType<Milliseconds | undefined> => span(least).optional();

export const logLevelOption = (fallback: LogLevel): ZodType<LogLevel> =>
  z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default(fallback);
