/** The pages of the commons: they work without this, which makes them quicker to use. */
import { installBusyForms } from "./commons/busy";
import { divideByDay } from "./commons/days";
import { followFeed } from "./commons/feed";
import { installRemarks } from "./commons/remarks";
import { installShare } from "./commons/share";
import { installSource } from "./commons/source";
import { installSwitches, showTabs } from "./commons/switch";
import { installTitles } from "./commons/titles";

installBusyForms();
showTabs();
installSwitches();
installSource();
installRemarks();
installTitles();
divideByDay();
installShare();
followFeed();
