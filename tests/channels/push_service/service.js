// The push service of the package web-push-testing on a loopback port; the port is printed once it listens.
const { createRequire } = require("node:module");
const packages = createRequire(`${process.argv[2]}/`);

const Service = packages("web-push-testing/src/server.js");
const { PushApiModel } = packages("web-push-testing/src/PushApiModel.js");

const model = new PushApiModel();
const service = new Service(model, 0);
service.setRequestHandlers();
const listening = service._app.listen(0, "127.0.0.1", () => {
  const { port } = listening.address();
  model.notifyUrl = `http://localhost:${port}/notify/`;
  console.log(JSON.stringify({ port }));
});
