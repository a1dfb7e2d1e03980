exports.onExecutePostLogin = async (event, api) => {
  api.transaction.setMetadata('step', 1);
  api.transaction.setMetadata('seen', event.transaction.metadata.step === 1);
};
