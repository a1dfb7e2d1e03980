
// The rule's auth0, as far as an action has it. Auth0 saves the metadata when the login ends.
function auth0For(event, api) {
  const save = (set) => async (user_id, metadata) => {
    if (user_id !== event.user.user_id) throw new Error('an action saves metadata of its own user only');
    for (const [key, value] of Object.entries(metadata)) {
      if (value !== undefined) set(key, value);
    }
  };
  return {
    domain: event.request.hostname,
    baseUrl: `https://${event.request.hostname}/api/v2`,
    users: {
      updateAppMetadata: save((key, value) => api.user.setAppMetadata(key, value)),
      updateUserMetadata: save((key, value) => api.user.setUserMetadata(key, value)),
    },
  };
}
