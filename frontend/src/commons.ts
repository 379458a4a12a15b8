/** The pages of the commons: they work without this, which makes them quicker to use. */
import { installBusyForms } from "./commons/busy";
import { followFeed } from "./commons/feed";
import { installRemarks } from "./commons/remarks";
import { installSource } from "./commons/source";
import { installSwitches, showTabs } from "./commons/switch";

installBusyForms();
showTabs();
installSwitches();
installSource();
installRemarks();
followFeed();
