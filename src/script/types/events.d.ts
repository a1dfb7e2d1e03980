// What each trigger hands to its actions as `event`. `Event` is the event of post-login, as in Auth0's editor.

interface EventUser {
  user_id: string;
  email?: string;
  email_verified: boolean;
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
  identities: { provider: string; user_id: string; connection: string; isSocial?: boolean; [name: string]: any }[];
  multifactor?: string[];
  enrolledFactors?: { type: string; method?: string; options?: any }[];
  app_metadata: Record<string, any>;
  user_metadata: Record<string, any>;
}
interface EventClient {
  client_id: string;
  name: string;
  metadata: Record<string, string>;
  [name: string]: any;
}
interface EventRequest {
  ip: string;
  asn?: string;
  method: string;
  hostname?: string;
  language?: string;
  user_agent?: string;
  query: Record<string, any>;
  body: Record<string, any>;
  geoip: {
    cityName?: string;
    continentCode?: string;
    countryCode?: string;
    countryCode3?: string;
    countryName?: string;
    latitude?: number;
    longitude?: number;
    subdivisionCode?: string;
    subdivisionName?: string;
    timeZone?: string;
  };
}
interface EventOrganization {
  id: string;
  name: string;
  display_name: string;
  metadata: Record<string, string>;
}
interface EventTransaction {
  id?: string;
  protocol?: string;
  requested_scopes: string[];
  redirect_uri?: string;
  state?: string;
  prompt?: string[];
  locale?: string;
  acr_values: string[];
  ui_locales: string[];
  login_hint?: string;
  response_mode?: string;
  response_type?: string[];
  linking_id?: string;
  correlation_id?: string;
  metadata: Record<string, string | number | boolean>;
  [name: string]: any;
}
/** Members that events of several triggers have. */
interface CommonEvent {
  tenant: { id: string };
  request: EventRequest;
  secrets: Record<string, string>;
  client: EventClient;
  connection: { id: string; name: string; strategy: string; metadata?: Record<string, any> };
  organization?: EventOrganization;
  custom_domain?: { domain: string; domain_metadata: Record<string, string> };
  security_context?: { ja3?: string; ja4?: string };
}

interface Event extends CommonEvent {
  user: EventUser;
  authentication?: {
    methods: { name: string; timestamp: string; [name: string]: any }[];
    riskAssessment?: { confidence: string; version: string; assessments: Record<string, any>; supplemental?: any };
  };
  authorization?: { roles: string[] };
  prompt?: { id: string; fields: Record<string, any>; vars: Record<string, any> };
  refresh_token?: { id: string; metadata?: Record<string, string>; [name: string]: any };
  resource_server?: { identifier: string };
  session?: { id: string; metadata?: Record<string, string>; [name: string]: any };
  stats: { logins_count: number };
  transaction?: EventTransaction;
  agent?: { agent_id: string; name: string; agent_metadata: Record<string, any> };
}
type PostLoginEvent = Event;
interface CredentialsExchangeEvent extends CommonEvent {
  accessToken: { customClaims: Record<string, any>; scope: string[] };
  resource_server: { identifier: string };
  transaction: { requested_scopes: string[]; target_scopes?: string[]; correlation_id?: string };
}
interface CustomTokenExchangeEvent extends CommonEvent {
  resource_server?: { identifier: string };
  transaction: {
    subject_token: string;
    subject_token_type: string;
    actor_token?: string;
    actor_token_type?: string;
    requested_scopes: string[];
    [name: string]: any;
  };
}
interface PreUserRegistrationEvent extends CommonEvent {
  user: Partial<EventUser> & { [name: string]: any };
  transaction?: EventTransaction;
  authentication?: any;
}
interface PostUserRegistrationEvent extends PreUserRegistrationEvent {
  user: EventUser;
}
interface PostChangePasswordEvent extends CommonEvent {
  user: EventUser;
}
interface PasswordResetPostChallengeEvent extends Event {}
interface SendPhoneMessageEvent extends CommonEvent {
  message_options: { action: string; message_type: string; recipient: string; text: string; code: string; [name: string]: any };
  user: EventUser;
}
interface CustomPhoneProviderEvent extends CommonEvent {
  notification: { as_text: string; as_voice?: string; recipient: string; message_type: string; delivery_method: string; [name: string]: any };
  user: EventUser;
}
interface CustomEmailProviderEvent extends CommonEvent {
  notification: { to: string; from: string; subject: string; html: string; text: string; message_type: string; locale: string; [name: string]: any };
  user: EventUser;
}
interface EventStreamEvent {
  message: { id: string; type: string; source: string; specversion: string; time: string; data: any; [name: string]: any };
  secrets: Record<string, string>;
}
