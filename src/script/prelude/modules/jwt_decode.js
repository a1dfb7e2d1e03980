// jwt-decode, of all versions: the function, its default and the named jwtDecode.
const { Buffer } = require('buffer');

class InvalidTokenError extends Error {
  constructor(message) {
    super(message);
    this.name = 'InvalidTokenError';
  }
}

function jwtDecode(token, options = {}) {
  if (typeof token !== 'string') throw new InvalidTokenError('Invalid token specified: must be a string');
  const at = options.header === true ? 0 : 1;
  const part = token.split('.')[at];
  if (typeof part !== 'string') throw new InvalidTokenError(`Invalid token specified: missing part #${at + 1}`);
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch (thrown) {
    throw new InvalidTokenError(`Invalid token specified: invalid json for part #${at + 1} (${thrown.message})`);
  }
}
module.exports = Object.assign(jwtDecode, { jwtDecode, default: jwtDecode, InvalidTokenError });
