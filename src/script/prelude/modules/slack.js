// slack-notify and @slack/webhook: messages to an incoming webhook.
const { send } = require('fetch');

async function post(url, message) {
  const received = await send({ url, method: 'POST', headers: [['content-type', 'application/json']], body: JSON.stringify(message) });
  if (received.status < 200 || received.status > 299) {
    throw Object.assign(new Error(`An HTTP protocol error occurred: statusCode = ${received.status}`), { code: 'slack_webhook_http_error' });
  }
  return `${received.body}`;
}

class IncomingWebhook {
  constructor(url, defaults = {}) {
    if (url === undefined) throw new Error('Incoming webhook URL is required');
    Object.assign(this, { url, defaults });
  }
  async send(message) {
    const own = typeof message === 'string' ? { text: message } : message;
    return { text: await post(this.url, { ...this.defaults, ...own }) };
  }
}

// slack-notify 1 takes callbacks, 2 returns promises.
function notify(url) {
  const deliver = (message, callback) => {
    const own = typeof message === 'string' ? { text: message } : { ...message };
    if (own.fields && !Array.isArray(own.fields)) {
      const fields = Object.entries(own.fields).map(([title, value]) => ({ title, value, short: `${value}`.length < 25 }));
      own.attachments = [{ fallback: 'Alert details', fields }, ...(own.attachments || [])];
      delete own.fields;
    }
    return host.promised(post(url, own), callback);
  };
  const extend = (defaults) => (message, callback) => deliver({ ...defaults, ...(typeof message === 'string' ? { text: message } : message) }, callback);
  return {
    send: deliver, extend, request: deliver,
    alert: extend({ channel: '#alerts', icon_emoji: ':warning:', username: 'Alert' }),
    bug: extend({ channel: '#bugs', icon_emoji: ':bomb:', username: 'Bug' }),
    note: extend({ channel: '#alerts', icon_emoji: ':bulb:', username: 'Note' }),
    success: extend({ channel: '#alerts', icon_emoji: ':trophy:', username: 'Hoorah' }),
  };
}
exports.webhook = { IncomingWebhook, ErrorCode: { HTTPError: 'slack_webhook_http_error', RequestError: 'slack_webhook_request_error' } };
exports.notify = Object.assign(notify, { default: notify });
