/** A place in an editor's configuration that is filled later, if at all. */
import { Compartment, type Extension } from "@codemirror/state";
import { ViewPlugin } from "@codemirror/view";

/** What `supply` promises goes into the editor that then still is there. */
export function slot(supply: () => Promise<Extension | null>): Extension {
  const place = new Compartment();
  const filler = ViewPlugin.define((view) => {
    let gone = false;
    void supply().then((extension) => { if (extension && !gone) view.dispatch({ effects: place.reconfigure(extension) }); });
    return { destroy() { gone = true; } };
  });
  return [place.of([]), filler];
}
