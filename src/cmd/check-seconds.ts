import { CliError } from "../cli/command.ts";

/** The value of a flag that counts seconds; throws for anything else. */
export function checkSeconds(flag: string, text: string | undefined, absent: number): number {
  const seconds = text === undefined ? absent : Number(text);
  if (text !== "" && Number.isInteger(seconds) && seconds >= 0) return seconds;
  throw new CliError(`--${flag} ${text} is no number of seconds`);
}
