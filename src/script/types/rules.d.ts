// The globals and parameters of rules. Name a rule's function and put `/** @type {Rule} */` before it.

type Rule = (user: RuleUser, context: RuleContext, callback: RuleCallback) => any;
type RuleCallback = (error?: any, user?: RuleUser, context?: RuleContext) => any;

interface RuleUser {
  user_id: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  nickname?: string;
  given_name?: string;
  family_name?: string;
  picture?: string;
  username?: string;
  phone_number?: string;
  phone_verified?: boolean;
  created_at: string;
  updated_at: string;
  last_password_reset?: string;
  identities: { provider: string; user_id: string; connection: string; isSocial: boolean; [name: string]: any }[];
  multifactor?: string[];
  /** `undefined` until some are saved. */
  app_metadata?: Record<string, any>;
  /** `undefined` until some are saved. */
  user_metadata?: Record<string, any>;
  [name: string]: any;
}

interface RuleContext {
  tenant: string;
  clientID: string;
  clientName: string;
  clientMetadata: Record<string, string>;
  connection: string;
  connectionID: string;
  connectionStrategy: string;
  connectionOptions: Record<string, any>;
  connectionMetadata: Record<string, any>;
  samlConfiguration: Record<string, any>;
  protocol: string;
  riskAssessment?: { confidence: string; version: string; assessments: Record<string, any> };
  stats: { loginsCount: number };
  sso?: { with_auth0: boolean; with_dbconn: boolean; current_clients: string[] };
  accessToken: { scope?: string[]; [claim: string]: any };
  idToken: Record<string, any>;
  multifactor?: { provider: string; allowRememberBrowser?: boolean; [name: string]: any };
  redirect?: { url: string };
  sessionID?: string;
  request: {
    ip: string;
    hostname: string;
    userAgent: string;
    method: string;
    query: Record<string, any>;
    body: Record<string, any>;
    geoip: Record<string, any>;
  };
  primaryUser?: string;
  authentication?: { methods: { name: string; timestamp: number }[] };
  authorization: { roles: string[] };
  organization?: { id: string; name: string; display_name: string; metadata: Record<string, string> };
  [name: string]: any;
}

declare const auth0: {
  domain: string;
  baseUrl: string;
  accessToken?: string;
  users: {
    updateAppMetadata(user_id: string, metadata: Record<string, any>): Promise<any>;
    updateUserMetadata(user_id: string, metadata: Record<string, any>): Promise<any>;
  };
};
declare const configuration: Record<string, string>;
declare const global: Record<string, any>;
declare const Auth0: any, _: any, async: any, jwt: any, q: any, querystring: any, request: any, uuid: any;
declare const xml2js: any, xmldom: any, xpath: any, xtend: any;
declare class UnauthorizedError extends Error {
  constructor(message?: string);
}
declare class ValidationError extends Error {
  constructor(code: string, message?: string);
}
