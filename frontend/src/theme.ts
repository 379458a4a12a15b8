/** Sets the theme on <html> before the first paint, so that no page flashes; loaded as a blocking script. */
const chosen = localStorage.getItem("rootblood.theme");
document.documentElement.dataset["theme"] = chosen === "dark" || chosen === "light" ? chosen : "system";
document.documentElement.classList.add("js");
