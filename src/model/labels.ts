/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;
