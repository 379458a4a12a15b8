/** The apps of a workspace: their JSON, and how one is brought to run. */
import { request } from "./api";

export interface App {
  id: string;
  title: string;
  icon: string;
  port: number;
  state: "absent" | "stopped" | "starting" | "running" | "failed";
  reason: string;
  log: string;
  url: string;
  /** On this server; leads to it. */
  path: string;
  /** The same, and starts it first. */
  page: string;
}

const POLL_MS = 1000;

export class AppsApi {
  private readonly base: string;

  constructor(workspace: string) {
    this.base = `/api/v1/workspaces/${encodeURIComponent(workspace)}/apps`;
  }

  async list(): Promise<App[]> {
    return (await request<{ apps: App[] }>("GET", this.base)).apps;
  }

  start(id: string): Promise<App> {
    return request<App>("POST", `${this.base}/${encodeURIComponent(id)}/start`);
  }

  stop(id: string): Promise<App> {
    return request<App>("POST", `${this.base}/${encodeURIComponent(id)}/stop`);
  }

  /** Start an app and return it once it runs, or has failed; `told` gets what it does meanwhile. */
  async run(id: string, told: (app: App) => void): Promise<App> {
    let app = await this.start(id);
    while (app.state === "starting") {
      told(app);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      app = (await this.list()).find((one) => one.id === id) ?? app;
    }
    return app;
  }
}
