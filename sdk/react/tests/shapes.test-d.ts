/** What `src/shapes.ts` believes of the API, held against `openapi.json` when types are checked. */
import type { components } from "./schema";
import type { AcknowledgedBy, Listed, Device, Preferences, Topic, WebPush } from "../src/shapes.js";

type Schemas = components["schemas"];
type Holds<Believed, _Answered extends Believed> = true;

export type Checked = [
  Holds<AcknowledgedBy, Schemas["AcknowledgedBy"]>,
  Holds<Listed, Required<Schemas["NotificationAnswer"]>>,
  Holds<Omit<Preferences, "quietHours">, Required<Schemas["PreferencesAnswer"]>>,
  Holds<WebPush, Schemas["WebPushAnswer"]>,
  Holds<Device, Schemas["AddressAnswer"]>,
  Holds<Omit<Topic, "wish">, Required<Schemas["TopicAnswer"]>>,
];
