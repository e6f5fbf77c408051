// Messages that nvidia-smi, the shell or the container runtime write instead of an output, or between its lines.
import { complain, type Draft, type ProblemReason } from './reading.ts';

const messages: readonly (readonly [RegExp, ProblemReason])[] = [
  [/libnvidia-ml\S{0,20}: cannot open shared object/i, 'LibraryNotFound'],
  [/nvidia-smi.{0,40}(?:command )?not found|executable file not found|is not recognized as/i, 'NotInstalled'],
  [/(?:nvidia-smi|exec).{0,200}no such file or directory/i, 'NotInstalled'],
  [/driver\/library version mismatch/i, 'DriverLibraryMismatch'],
  [/NVML library version:/i, 'DriverLibraryMismatch'],
  [/couldn't communicate with the NVIDIA driver|driver not loaded/i, 'DriverNotLoaded'],
  [/installed and running\.?$/i, 'DriverNotLoaded'],
  [/couldn't find (?:the )?(?:libnvidia-ml|nvml)|failed to load.{0,80}(?:libnvidia-ml|nvml)/i, 'LibraryNotFound'],
  [/no devices were found|no devices found|no supported devices/i, 'NoDevices'],
  [/insufficient permissions|no permission|permission denied/i, 'NoPermission'],
  [/unable to determine the device handle|gpu is lost|fallen off the bus/i, 'DeviceLost'],
  [
    /is not a valid field to query|invalid (?:combination of )?(?:input )?argument|option.{0,80}not recognized/i,
    'InvalidUsage',
  ],
  [
    /failed to (?:initialize|properly shut down) NVML|unable to (?:initialize|load).{0,40}nvml/i,
    'InitialisationFailed',
  ],
  // From the start of a line: as a value it stands in every output.
  [/^(?:the feature is )?not supported (?:on the device|in this configuration)/i, 'NotSupported'],
  // ssh and shells warn too.
  [/^warning: .{0,200}\b(?:infoROM|GPU|device|persistence)\b/i, 'Warning'],
];

export function failureIn(line: string): ProblemReason | undefined {
  if (line.length > 500) return undefined;
  return messages.find(([message]) => message.test(line))?.[1];
}

/** Names the failures among lines that belong to no output; other lines are prompts, echoes and log lines. */
export function noteFailures(draft: Draft, lines: readonly string[]): void {
  for (const line of lines) {
    const reason = failureIn(line);
    if (reason !== undefined) complain(draft, reason, line);
  }
}
