/** The JSON of the API, as docs/api describes it. */

export type State = "stopped" | "starting" | "running" | "stopping" | "failed" | "deleting";

export interface Limits {
  cpus: number;
  memory_bytes: number;
  pids: number;
}

export interface Usage {
  /** 100 is one core. */
  cpu_percent: number;
  memory_bytes: number;
  pids: number;
  net_bytes_per_second: number;
  block_bytes_per_second: number;
}

export interface Activity {
  open_sessions: number;
  last_input_at: string | null;
  stops_at: string | null;
  snoozed_until: string | null;
  explanation: string;
}

export interface Workspace {
  name: string;
  template: string;
  state: State;
  reason: string;
  log: string;
  url: string;
  limits: Limits;
  created_at: string;
  started_at: string | null;
  stopped_at: string | null;
  usage: Usage | null;
  activity: Activity;
}

export interface Template extends Limits {
  name: string;
  title: string;
  description: string;
  image: string;
  ports: number[];
  read_only_root: boolean;
  enabled: boolean;
  image_present: boolean;
}

export interface User {
  username: string;
  role: string;
  allowance: { workspaces: number } & Limits;
}

export interface Session {
  name: string;
  attached: number;
  /** What runs in it, where the server tells. */
  command?: string;
  created_at: string;
}

export interface ArchiveProgress {
  id: string;
  sent_bytes: number;
  home_bytes: number | null;
  state: "running" | "done" | "failed";
  elapsed_seconds: number;
}
