/** Why a mesh cannot be brought up, for its user: what was tried, and the way out. */
export class MeshError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MeshError";
  }
}
