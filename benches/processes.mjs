// Processes of a bench, and what Linux says of them in /proc.

import { spawn as spawnProcess } from "node:child_process";
import { readFileSync } from "node:fs";

/** The unit of processor times in /proc, in milliseconds. */
const TICK = 10;

/** Those that this program has started and that run. */
const children = new Set();

export function spawn(command, args, options) {
  const child = spawnProcess(command, args, options);
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** Ends all processes that this program has started. */
export const endChildren = () => children.forEach((child) => child.kill());

/** Returns the fields of a process after its name. */
function stat(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
}

/** Returns the process that has started the one with this number. */
export const parentOf = (pid) => stat(pid)[1];

/** Returns the processor time of a process in milliseconds. */
export function processorTime(pid) {
  const [user, system] = stat(pid).slice(11);
  return (user + system) * TICK;
}

/** Returns the same with that of its children that have ended. A process that has ended itself has 0. */
function timeWithChildren(pid) {
  try {
    return stat(pid).slice(11, 15).reduce((sum, ticks) => sum + ticks * TICK, 0);
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(error.code)) return 0;
    throw error;
  }
}

/** Returns the processor time of a process and of all its children, also of those that have ended. */
export function timeOfFamily(pid) {
  const running = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return [pid, ...running].reduce((sum, pid) => sum + timeWithChildren(pid), 0);
}

/** Returns the processor time of this program and of all that it has started, in milliseconds. */
export const ownTime = () => [process.pid, ...[...children].map(({ pid }) => pid)].reduce((sum, pid) => sum + timeWithChildren(pid), 0);

/** Returns the processor time of all programs, in milliseconds. What the host takes away counts as well. */
export function machineTime() {
  const [user, nice, system, , , , , steal] = readFileSync("/proc/stat", "utf8").split("\n")[0].split(/ +/).slice(1).map(Number);
  return (user + nice + system + steal) * TICK;
}

/** Returns the resident memory of a process in MiB. */
export function residentMib(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1_024;
}
