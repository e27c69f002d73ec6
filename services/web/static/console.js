import { restoreFocus } from "./focus.js";
import { localize } from "./format.js";
import * as forms from "./forms.js";
import { follow } from "./live.js";
import { recover } from "./recover.js";

localize(document);
forms.start();
follow();
recover();
restoreFocus();
