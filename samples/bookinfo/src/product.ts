/** A book as the page lists it. */
export interface Product {
  readonly id: number;
  readonly title: string;
  /** HTML that we wrote ourselves. */
  readonly descriptionHtml: string;
}

/** What details answers. */
export interface BookDetails {
  readonly type: string;
  readonly pages: number;
  readonly publisher: string;
  readonly language: string;
  readonly "ISBN-10": string;
  readonly "ISBN-13": string;
}

/** What reviews answers. */
export interface BookReviews {
  readonly podname: string | null;
  readonly clustername: string | null;
  readonly reviews: readonly {
    readonly reviewer: string;
    readonly text: string;
    readonly rating?: {
      readonly stars?: number;
      readonly color?: string;
      readonly error?: string;
    };
  }[];
}

/** An answer of a service, or what the reader is told instead; the status is the service's. */
export type Fetched<T> =
  | { readonly ok: true; readonly status: number; readonly value: T }
  | { readonly ok: false; readonly status: number; readonly error: string };
