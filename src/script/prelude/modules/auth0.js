// auth0: the Management and Authentication clients of versions 2 to 5, for the calls that scripts make. A version decides
// what a call returns: the body (2, 3, 5 and later) or { data, status, headers } (4). A script that names no version gets
// the body with a hidden `data`.
const { send, Headers, statusTexts } = require('fetch');
const { URLSearchParams } = require('url');

// The calls by their names in any version: METHOD /path, then the names.
const CALLS = {};
for (const line of `
GET /users|users.getAll users.list getUsers
POST /users|users.create createUser
GET /users-by-email|usersByEmail.getByEmail users.listUsersByEmail users.getByEmail getUsersByEmail
GET /users/{id}|users.get getUser
PATCH /users/{id}|users.update updateUser
DELETE /users/{id}|users.delete deleteUser
GET /users/{id}/roles|users.getRoles users.roles.list getUserRoles
POST /users/{id}/roles|users.assignRoles users.roles.assign assignRolestoUser assignRolesToUser
DELETE /users/{id}/roles|users.deleteRoles users.removeRoles users.roles.delete removeRolesFromUser
GET /users/{id}/permissions|users.getPermissions users.permissions.list getUserPermissions
POST /users/{id}/permissions|users.assignPermissions users.permissions.create assignPermissionsToUser
DELETE /users/{id}/permissions|users.deletePermissions users.permissions.delete removePermissionsFromUser
GET /users/{id}/logs|users.getLogs users.logs.list getUserLogs
GET /users/{id}/organizations|users.getUserOrganizations users.organizations.list
GET /users/{id}/enrollments|users.getEnrollments users.enrollments.get getGuardianEnrollments
GET /users/{id}/authentication-methods|users.getAuthenticationMethods users.authenticationMethods.list
POST /users/{id}/authentication-methods|users.createAuthenticationMethod users.authenticationMethods.create
DELETE /users/{id}/authentication-methods/{authentication_method_id}|users.deleteAuthenticationMethod users.authenticationMethods.delete
DELETE /users/{id}/authentication-methods|users.deleteAuthenticationMethods users.authenticationMethods.deleteAll
DELETE /users/{id}/authenticators|users.deleteAllAuthenticators users.authenticators.deleteAll
DELETE /users/{id}/multifactor/{provider}|users.deleteMultifactorProvider users.multifactor.deleteProvider deleteUserMultifactor
POST /users/{id}/multifactor/actions/invalidate-remember-browser|users.invalidateRememberBrowser users.multifactor.invalidateRememberBrowser invalidateRememberBrowser
POST /users/{id}/identities|users.link users.identities.link linkUsers
DELETE /users/{id}/identities/{provider}/{user_id}|users.unlink users.identities.delete unlinkUsers
GET /users/{user_id}/sessions|users.getSessions users.sessions.list
DELETE /users/{user_id}/sessions|users.deleteSessions users.sessions.delete
GET /users/{user_id}/refresh-tokens|users.getRefreshTokens users.refreshToken.list
DELETE /users/{user_id}/refresh-tokens|users.deleteRefreshTokens users.refreshToken.delete
GET /roles|roles.getAll roles.list getRoles
POST /roles|roles.create createRole
GET /roles/{id}|roles.get getRole
PATCH /roles/{id}|roles.update updateRole
DELETE /roles/{id}|roles.delete deleteRole
GET /roles/{id}/users|roles.getUsers roles.users.list getUsersInRole
POST /roles/{id}/users|roles.assignUsers roles.users.assign assignUsersToRole
GET /roles/{id}/permissions|roles.getPermissions roles.permissions.list getPermissionsInRole
GET /organizations|organizations.getAll organizations.list
POST /organizations|organizations.create
GET /organizations/name/{name}|organizations.getByName
GET /organizations/{id}|organizations.get organizations.getByID
PATCH /organizations/{id}|organizations.update
DELETE /organizations/{id}|organizations.delete
GET /organizations/{id}/members|organizations.getMembers organizations.members.list
POST /organizations/{id}/members|organizations.addMembers organizations.members.create
DELETE /organizations/{id}/members|organizations.deleteMembers organizations.removeMembers organizations.members.delete
GET /organizations/{id}/members/{user_id}/roles|organizations.getMemberRoles organizations.members.roles.list
POST /organizations/{id}/members/{user_id}/roles|organizations.addMemberRoles organizations.members.roles.assign
DELETE /organizations/{id}/members/{user_id}/roles|organizations.deleteMemberRoles organizations.removeMemberRoles organizations.members.roles.delete
GET /organizations/{id}/enabled_connections|organizations.getEnabledConnections organizations.enabledConnections.list
POST /organizations/{id}/enabled_connections|organizations.addEnabledConnection organizations.enabledConnections.add
POST /organizations/{id}/invitations|organizations.createInvitation organizations.invitations.create
GET /connections|connections.getAll connections.list getConnections
GET /connections/{id}|connections.get getConnection
GET /clients|clients.getAll clients.list getClients
GET /clients/{client_id}|clients.get getClient
PATCH /clients/{client_id}|clients.update updateClient
GET /client-grants|clientGrants.getAll clientGrants.list getClientGrants
GET /resource-servers|resourceServers.getAll resourceServers.list getResourceServers
GET /resource-servers/{id}|resourceServers.get getResourceServer
GET /logs|logs.getAll logs.list getLogs
GET /logs/{id}|logs.get getLog
GET /grants|grants.getAll grants.list getGrants
POST /jobs/verification-email|jobs.verifyEmail jobs.verificationEmail.create sendEmailVerification
GET /jobs/{id}|jobs.get getJob
POST /tickets/password-change|tickets.changePassword createPasswordChangeTicket
POST /tickets/email-verification|tickets.verifyEmail createEmailVerificationTicket
GET /device-credentials|deviceCredentials.getAll deviceCredentials.list getDeviceCredentials
GET /sessions/{id}|sessions.get
DELETE /sessions/{id}|sessions.delete
POST /sessions/{id}/revoke|sessions.revoke
DELETE /refresh-tokens/{id}|refreshTokens.delete
GET /tenants/settings|tenants.getSettings tenants.settings.get getTenantSettings
GET /user-blocks/{id}|userBlocks.get userBlocks.list
DELETE /user-blocks/{id}|userBlocks.delete
GET /rules-configs|rulesConfigs.getAll getRulesConfigs
GET /actions/actions|actions.getAll actions.list
`.trim().split('\n')) {
  const [call, names] = line.split('|');
  for (const name of names.split(' ')) CALLS[name] = call.split(' ');
}
const GROUPS = new Set(Object.keys(CALLS).flatMap((name) => name.split('.').map((_, at, all) => all.slice(0, at).join('.'))));

// https://DOMAIN; http for a tenant on this machine.
function origin(domain) {
  if (!domain) throw new Error('Must provide a domain');
  const own = `${domain}`.replace(/\/+$/, '');
  if (/^https?:\/\//.test(own)) return own;
  return `${/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(own) ? 'http' : 'https'}://${own}`;
}

function failure(major, kind, received, body) {
  const { statusCode = received.status, error = statusTexts[received.status], message, error_description: description, errorCode } = Object(body);
  const text = message || description || (typeof body === 'string' && body) || error;
  const name = major === 4 ? kind : major >= 5 ? 'ManagementError' : error || 'APIError';
  const failed = Object.assign(new Error(text), { name, statusCode, error, errorCode, msg: text, body, headers: new Headers(received.headers) });
  if (major < 4) failed.originalError = Object.assign(new Error(text), { status: received.status, response: { body, status: received.status, text: `${received.body}` } });
  return failed;
}

async function call({ major, kind, url, method, token, body, headers = {}, form }) {
  const all = new Headers(headers);
  if (token) all.set('authorization', `Bearer ${token}`);
  let content = null;
  if (body !== undefined) {
    all.set('content-type', form ? 'application/x-www-form-urlencoded' : 'application/json');
    content = form ? new URLSearchParams(body).toString() : JSON.stringify(body);
  }
  const received = await send({ url, method, headers: all, body: content });
  let parsed = `${received.body}`;
  try {
    parsed = parsed ? JSON.parse(parsed) : undefined;
  } catch {
    // Not JSON: an error page of a proxy, kept as text.
  }
  if (received.status < 200 || received.status > 299) throw failure(major, kind, received, parsed);
  if (major === 4) return { data: parsed, status: received.status, statusText: statusTexts[received.status], headers: new Headers(received.headers) };
  if (major === 0 && parsed !== null && typeof parsed === 'object' && !('data' in parsed)) {
    Object.defineProperty(parsed, 'data', { value: parsed, enumerable: false });
  }
  return parsed;
}

// What a call's arguments mean: values of the path by name or in order, then the query or the body.
function split(method, path, values) {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  let rest = values.filter((value) => value !== undefined);
  let found = {};
  if (names.length && rest[0] !== null && typeof rest[0] === 'object') {
    const [own] = rest;
    const ids = names.map((name) => (name in own ? name : name === 'id' && 'user_id' in own ? 'user_id' : name === 'user_id' && 'id' in own ? 'id' : name));
    names.forEach((name, at) => (found[name] = own[ids[at]]));
    const others = Object.fromEntries(Object.entries(own).filter(([name]) => !ids.includes(name)));
    rest = method === 'GET' ? [others] : rest.slice(1);
  } else {
    for (const name of names) found[name] = rest.shift();
  }
  for (const name of names) if (found[name] === undefined || found[name] === '') throw new Error(`Required parameter ${name} was null or undefined`);
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(found[name]));
  const [more] = rest;
  if (method !== 'GET') return { path: filled, body: more };
  const query = typeof more === 'string' ? { email: more } : more || {};
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && typeof value !== 'object');
  const text = new URLSearchParams(pairs).toString();
  return { path: text ? `${filled}?${text}` : filled };
}

// A call that is not in the table, or a group of such.
const unknown = (name) => new Proxy(() => undefined, {
  get: (_, member) => (typeof member === 'symbol' || member === 'then' ? undefined : unknown(`${name}.${member}`)),
  apply: () => {
    throw new Error(`auth0: management.${name} is not built in here; call the Management API with fetch instead`);
  },
});

// A page of version 5. Its iterator goes on with the pages after it.
function page(body, getNextPage) {
  const items = Array.isArray(body) ? body : Object.values(Object(body)).find(Array.isArray) || [];
  const { start = 0, total = 0 } = Object(body);
  return {
    data: items, response: body, hasNextPage: () => items.length > 0 && total > start + items.length, getNextPage,
    async *[Symbol.asyncIterator]() {
      let own = this;
      for (yield* own.data; own.hasNextPage(); yield* own.data) own = await own.getNextPage();
    },
  };
}
// The arguments of a list with the number of the next page.
function nextPage(values) {
  const at = values.findIndex((value) => value !== null && typeof value === 'object');
  const query = at < 0 ? {} : values[at];
  return values.toSpliced(at < 0 ? values.length : at, 1, { ...query, page: (Number(query.page) || 0) + 1 });
}

const { promised } = host;

function clients(major) {
  const plainCall = (options) => call({ major, ...options });

  class AuthenticationClient {
    constructor(options = {}) {
      const base = origin(options.domain);
      const token = (grant, own = {}) => {
        const { client_id = options.clientId, client_secret = options.clientSecret, ...rest } = own;
        return plainCall({ kind: 'AuthApiError', url: `${base}/oauth/token`, method: 'POST', form: true, body: Object.fromEntries(Object.entries({ grant_type: grant, client_id, client_secret, ...rest }).filter(([, value]) => value !== undefined)) });
      };
      const post = (path) => (own) => plainCall({ kind: 'AuthApiError', url: base + path, method: 'POST', body: { client_id: options.clientId, ...own } });
      const late = (run) => (own, callback) => promised(run(own), callback);
      this.oauth = {
        clientCredentialsGrant: (own) => token('client_credentials', own), passwordGrant: (own) => token('password', own),
        refreshTokenGrant: (own) => token('refresh_token', own), authorizationCodeGrant: (own) => token('authorization_code', own),
      };
      this.clientCredentialsGrant = late((own) => token('client_credentials', own));
      this.passwordGrant = late((own) => token('password', own));
      this.refreshToken = late((own) => token('refresh_token', own));
      this.database = { changePassword: late(post('/dbconnections/change_password')), requestChangePasswordEmail: late(post('/dbconnections/change_password')), signUp: late(post('/dbconnections/signup')) };
      this.requestChangePasswordEmail = this.database.changePassword;
      this.passwordless = { sendEmail: late(post('/passwordless/start')), sendSMS: late(post('/passwordless/start')) };
      this.getProfile = (access, callback) => promised(plainCall({ kind: 'AuthApiError', url: `${base}/userinfo`, method: 'GET', token: access }), callback);
    }
  }

  class ManagementClient {
    constructor(options = {}) {
      const base = origin(options.domain);
      let kept;
      const token = async () => {
        if (options.token) return typeof options.token === 'function' ? options.token() : options.token;
        if (!kept || Date.now() > kept.until) {
          const grant = { grant_type: 'client_credentials', client_id: options.clientId, client_secret: options.clientSecret, audience: options.audience || `${base}/api/v2/` };
          const body = await call({ major: 3, url: `${base}/oauth/token`, method: 'POST', form: true, body: grant });
          kept = { token: body.access_token, until: Date.now() + ((body.expires_in || 60) - 30) * 1000 };
        }
        return kept.token;
      };
      if (!options.token && !(options.clientId && options.clientSecret)) throw new Error('Must provide a token, or a clientId and a clientSecret');
      const run = async (name, values) => {
        const [method, path] = CALLS[name];
        const parts = split(method, path, values);
        const body = await plainCall({ kind: 'ManagementApiError', url: `${base}/api/v2${parts.path}`, method, token: await token(), body: parts.body, headers: options.headers });
        return major >= 5 && /(^|\.)list$/.test(name) ? page(body, () => run(name, nextPage(values))) : body;
      };
      const metadata = (kind) => ({ id }, value, callback) => promised(run('users.update', [{ id }, { [kind]: value }]), callback);
      const own = { getAccessToken: token, updateAppMetadata: metadata('app_metadata'), updateUserMetadata: metadata('user_metadata') };
      own['users.updateAppMetadata'] = own.updateAppMetadata;
      own['users.updateUserMetadata'] = own.updateUserMetadata;
      const group = (prefix) => new Proxy({}, {
        get: (target, member) => {
          if (typeof member === 'symbol' || member === 'then' || member === 'toJSON') return undefined;
          if (member in target) return target[member];
          const name = prefix + member;
          if (own[name]) return own[name];
          if (GROUPS.has(name)) return (target[member] = group(`${name}.`));
          if (!CALLS[name]) return unknown(name);
          return (...values) => {
            const callback = typeof values.at(-1) === 'function' ? values.pop() : undefined;
            return promised(run(name, values), callback);
          };
        },
        set: (target, member, value) => {
          target[member] = value;
          return true;
        },
      });
      return group('');
    }
  }

  class UserInfoClient {
    constructor(options) {
      this.base = origin(options.domain);
    }
    getUserInfo(token) {
      return plainCall({ kind: 'UserInfoError', url: `${this.base}/userinfo`, method: 'GET', token });
    }
  }
  return { AuthenticationClient, ManagementClient, UserInfoClient };
}

const known = new Map();
function ofVersion(wanted) {
  const major = !wanted ? 0 : parseInt(`${wanted}`.replace(/^[^\d]*/, ''), 10) || 5;
  if (!known.has(major)) {
    const own = clients(major);
    own.default = own;
    known.set(major, own);
  }
  return known.get(major);
}
module.exports = { ...ofVersion(''), ofVersion };
