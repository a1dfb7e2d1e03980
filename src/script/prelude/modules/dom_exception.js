// DOMException.
const CODES = { InvalidCharacterError: 5, NotSupportedError: 9, AbortError: 20, QuotaExceededError: 22, TimeoutError: 23, DataCloneError: 25 };

exports.DOMException = class DOMException extends Error {
  constructor(message = '', name = 'Error') {
    super(`${message}`);
    const own = typeof name === 'object' ? name.name || 'Error' : `${name}`;
    Object.defineProperty(this, 'name', { value: own, configurable: true });
    if (typeof name === 'object' && 'cause' in name) this.cause = name.cause;
  }
  get code() {
    return CODES[this.name] || 0;
  }
};
