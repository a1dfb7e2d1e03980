// What every script has beside the language: web globals, Buffer, require. Written by `vestibule tenant types`.

/** Modules are not resolved here: each is `any`. */
declare module '*';

declare function require(name: string): any;
declare const module: { exports: any };
declare const exports: any;
declare const process: { env: Record<string, string | undefined>; [name: string]: any };

interface Console {
  debug(...values: any[]): void;
  error(...values: any[]): void;
  info(...values: any[]): void;
  log(...values: any[]): void;
  trace(...values: any[]): void;
  warn(...values: any[]): void;
}
declare const console: Console;

declare function setTimeout(handler: (...values: any[]) => void, milliseconds?: number, ...values: any[]): any;
declare function setInterval(handler: (...values: any[]) => void, milliseconds?: number, ...values: any[]): any;
declare function setImmediate(handler: (...values: any[]) => void, ...values: any[]): any;
declare function clearTimeout(timer: any): void;
declare function clearInterval(timer: any): void;
declare function queueMicrotask(task: () => void): void;
declare function structuredClone<T>(value: T): T;
declare function atob(text: string): string;
declare function btoa(text: string): string;

declare class Headers {
  constructor(init?: any);
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  has(name: string): boolean;
  set(name: string, value: string): void;
  forEach(callback: (value: string, name: string) => void): void;
  entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}
interface Response {
  readonly headers: Headers;
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  json(): Promise<any>;
  text(): Promise<string>;
}
interface RequestInit {
  method?: string;
  headers?: any;
  body?: any;
  signal?: AbortSignal;
  redirect?: string;
}
declare function fetch(url: string | URL, init?: RequestInit): Promise<Response>;

declare class URLSearchParams {
  constructor(init?: any);
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  toString(): string;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}
declare class URL {
  constructor(url: string, base?: string | URL);
  hash: string;
  host: string;
  hostname: string;
  href: string;
  readonly origin: string;
  password: string;
  pathname: string;
  port: string;
  protocol: string;
  search: string;
  readonly searchParams: URLSearchParams;
  username: string;
  toString(): string;
}
declare class AbortSignal {
  static timeout(milliseconds: number): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
}
declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: any): void;
}
declare class FormData {
  append(name: string, value: any): void;
}
declare class TextEncoder {
  encode(text?: string): Uint8Array;
}
declare class TextDecoder {
  constructor(label?: string);
  decode(bytes?: any): string;
}
declare class Buffer extends Uint8Array {
  static alloc(size: number): Buffer;
  static byteLength(text: string, encoding?: string): number;
  static concat(list: any[]): Buffer;
  static from(value: any, encoding?: any): Buffer;
  static isBuffer(value: any): boolean;
  toString(encoding?: string): string;
}
declare const crypto: any;
