exports.onExecuteCustomTokenExchange = async (event, api) => {
  const token = event.transaction.subject_token;
  if (!token.startsWith('legacy-')) {
    return api.access.rejectInvalidSubjectToken('That is no legacy token.');
  }
  api.authentication.setUserById(`auth0|${token.slice(7)}`);
};
