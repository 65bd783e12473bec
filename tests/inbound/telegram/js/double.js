// telegram-test-api on a port of its own: node double.js <port>
const TelegramServer = require("telegram-test-api");

new TelegramServer({ port: Number(process.argv[2]), host: "127.0.0.1" }).start().then(() => console.log("ready"));
