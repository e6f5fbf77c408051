// How an agent opens its connection: an HTTP request for this path, with its token, that asks for this protocol by an
// Upgrade header. Behind the answer `101` there are only lines, reports up and acknowledgements down.
export const reportsPath = '/v1/reports';
export const reportsProtocol = 'kubeai-reports';
