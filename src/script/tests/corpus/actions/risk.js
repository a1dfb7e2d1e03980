exports.onExecutePostLogin = async (event, api) => {
  const confidence = event.authentication?.riskAssessment?.confidence;
  if (confidence === 'low') api.multifactor.enable('any');
};
