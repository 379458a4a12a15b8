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

/** Who may open what a port serves. */
export type Audience = "private" | "users" | "public";

export interface SharedPort {
  port: number;
  share: Audience;
  expires: string | null;
  /** Leads to it. */
  path: string;
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
  shared: SharedPort[];
}

export interface Template extends Limits {
  name: string;
  title: string;
  description: string;
  image: string;
  ports: number[];
  apps: { id: string; title: string; icon: string; installed: boolean }[];
  read_only_root: boolean;
  enabled: boolean;
  image_present: boolean;
}

export interface User {
  username: string;
  role: string;
  /** Never given to anybody else. */
  uid: number;
  allowance: {
    workspaces: number;
    disk_bytes: number;
    /** Of running in a week; null is without a limit. */
    hours: number | null;
  } & Limits;
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

export interface Job {
  id: string;
  kind: "snapshot" | "restore" | "delete";
  state: "running" | "done" | "failed";
  text: string;
  done_bytes: number;
  total_bytes: number | null;
  percent: number | null;
  started_at: string;
  snapshot_id: number | null;
  error: { title: string; detail: string; hint: string; slug: string } | null;
}

export interface Home {
  storage: string;
  encrypted: boolean;
  capped: boolean;
  locked: boolean;
  /** This sign-in opens it without the password. */
  key_at_hand: boolean;
  unlocked_until: string | null;
  allowance_bytes: number;
  used_bytes: number;
  split: { files_bytes: number | null; snapshots_bytes: number; images_bytes: number; published_bytes: number };
  level: "ok" | "nearly-full" | "full";
  braked: boolean;
  recovery: boolean;
  escrow: boolean;
  backup: boolean;
  hours_used: number;
  hours_allowed: number | null;
  week_began_at: string;
  next_snapshot_at: string | null;
  jobs: Job[];
}

export interface Snapshot {
  id: number;
  reason: "manual" | "scheduled" | "before-restore";
  note: string;
  taken_at: string;
  files: number;
  total_bytes: number;
  added_bytes: number;
  consistent: boolean;
}

export interface SnapshotFile {
  name: string;
  path: string;
  type: "file" | "dir" | "symlink" | "other";
  size_bytes: number;
  mode: number;
  modified_at: string;
}

export interface SnapshotFiles {
  path: string;
  files: SnapshotFile[];
  truncated: boolean;
}

export interface FileVersion {
  snapshot_id: number;
  taken_at: string;
  size_bytes: number;
  modified_at: string;
}

export interface FileDiff {
  path: string;
  /** Null where the file was not there yet. */
  older: number | null;
  /** Null is the home as it is. */
  newer: number | null;
  text: string;
  binary: boolean;
  too_large: boolean;
}
