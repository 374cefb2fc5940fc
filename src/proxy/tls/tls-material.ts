import { mergeValidation } from "../decode/tls-validation.ts";
import type { Secret } from "../secret/secret.ts";
import type { SecretStore, SecretUse } from "../secret/secret-store.ts";
import type {
  CertificateConfig,
  CommonTlsConfig,
  Given,
  SecretRef,
  ValidationConfig,
} from "./tls-config.ts";

/** Everything that a TLS context is made of, once all of it is there. */
export interface Material {
  readonly certificates: readonly CertificateConfig[];
  readonly validation: ValidationConfig | undefined;
  readonly ticketKeys: readonly Buffer[];
}

/** Makes contexts of material. */
export interface MaterialUser {
  /** Tries material and changes nothing yet; throws a `ContextError`. Returns what puts it to use. */
  prepare(material: Material): () => void;
  /** Tries what has come while the rest is still missing. */
  check(material: Material): void;
}

/** What stands inline and what secrets bring, put together; tells whenever there is a new whole. */
export class TlsMaterial {
  readonly #config: CommonTlsConfig;
  readonly #user: MaterialUser;
  readonly #secrets: SecretStore;
  readonly #certificates: (CertificateConfig | undefined)[];
  #validation: ValidationConfig | undefined;
  #isValidationThere: boolean;
  #ticketKeys: readonly Buffer[] | undefined;
  readonly #uses: SecretUse[] = [];
  /** Secrets that have neither come nor been given up. */
  #awaited = new Set<object>();

  constructor(
    config: CommonTlsConfig,
    ticketKeys: Given<readonly Buffer[]>,
    secrets: SecretStore,
    user: MaterialUser,
  ) {
    this.#config = config;
    this.#user = user;
    this.#certificates = config.certificates.map((given) =>
      given.kind === "inline" ? given.value : undefined,
    );
    this.#validation = config.validation;
    this.#isValidationThere = config.validationRef === undefined;
    this.#ticketKeys = ticketKeys.kind === "inline" ? ticketKeys.value : undefined;
    this.#secrets = secrets;
    secrets.materials.add(this);
    const whole = this.#whole();
    if (whole !== undefined) user.prepare(whole)();
    for (const [at, given] of config.certificates.entries()) {
      if (given.kind === "secret") this.#useCertificate(at, given.ref, secrets);
    }
    if (config.validationRef !== undefined) this.#useValidation(config.validationRef, secrets);
    if (ticketKeys.kind === "secret") this.#useTicketKeys(ticketKeys.ref, secrets);
  }

  /** Whether nothing has to be waited for any more: all is there, or took too long. */
  get isReady(): boolean {
    return this.#awaited.size === 0;
  }

  #useCertificate(at: number, ref: SecretRef, secrets: SecretStore): void {
    this.#use(ref, "certificate", secrets, (secret) => {
      if (secret.kind !== "certificate") return () => undefined;
      const certificates = this.#certificates.with(at, secret.value);
      const commit = this.#prepare({ certificates });
      return () => {
        this.#certificates[at] = secret.value;
        commit();
      };
    });
  }

  #useValidation(ref: SecretRef, secrets: SecretStore): void {
    const base = this.#config.validation;
    this.#use(ref, "validation", secrets, (secret) => {
      if (secret.kind !== "validation") return () => undefined;
      const value = base === undefined ? secret.value : mergeValidation(base, secret.value);
      const commit = this.#prepare({ validation: value });
      return () => {
        this.#validation = value;
        this.#isValidationThere = true;
        commit();
      };
    });
  }

  #useTicketKeys(ref: SecretRef, secrets: SecretStore): void {
    this.#use(ref, "ticketKeys", secrets, (secret) => {
      if (secret.kind !== "ticketKeys") return () => undefined;
      const commit = this.#prepare({ ticketKeys: secret.value });
      return () => {
        this.#ticketKeys = secret.value;
        commit();
      };
    });
  }

  #use(
    ref: SecretRef,
    kind: Secret["kind"],
    secrets: SecretStore,
    prepare: (secret: Secret) => () => void,
  ): void {
    const token = {};
    this.#awaited.add(token);
    const use = secrets.use(ref, {
      kind,
      prepare: (secret) => {
        const commit = prepare(secret);
        return () => {
          this.#awaited.delete(token);
          commit();
        };
      },
      onTimeout: () => this.#awaited.delete(token),
    });
    this.#uses.push(use);
  }

  /** Tries the material with one part changed. */
  #prepare(change: {
    readonly certificates?: readonly (CertificateConfig | undefined)[];
    readonly validation?: ValidationConfig;
    readonly ticketKeys?: readonly Buffer[];
  }): () => void {
    const { certificates = this.#certificates, validation, ticketKeys } = change;
    this.#user.check({
      certificates: certificates.filter((certificate) => certificate !== undefined),
      validation: validation ?? (this.#isValidationThere ? this.#validation : undefined),
      ticketKeys: ticketKeys ?? this.#ticketKeys ?? [],
    });
    // Others may come in the same breath: the whole is put together when this is put to use.
    return () => {
      const whole = this.#whole();
      if (whole !== undefined) this.#user.prepare(whole)();
    };
  }

  #whole(): Material | undefined {
    const certificates = this.#certificates.filter((certificate) => certificate !== undefined);
    const isWhole = certificates.length === this.#certificates.length && this.#isValidationThere;
    if (!isWhole || this.#ticketKeys === undefined) return undefined;
    return { certificates, validation: this.#validation, ticketKeys: this.#ticketKeys };
  }

  /** All of it; `undefined` while something is missing. */
  get current(): Material | undefined {
    return this.#whole();
  }

  close(): void {
    this.#secrets.materials.delete(this);
    for (const use of this.#uses) use.close();
  }
}
