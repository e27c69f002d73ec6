import { localize } from "./format.js";
import * as forms from "./forms.js";
import { follow } from "./live.js";

localize(document);
forms.start();
follow();
