/** Fields that are taken and that nothing is made of yet, by kind. */
export const PENDING_FIELDS: Readonly<Record<string, readonly string[]>> = {};
