import { useEffect, useState } from "react";
import { asProblem, type Problem } from "./problem.js";
import type { Preferences, QuietHours, Topic, TopicWish } from "./shapes.js";
import { useGiven, usePush } from "./TocsinProvider.js";

const NIGHT: QuietHours = { from: "22:00", to: "07:00" };
const NO_WISH = { muted: false, subscribed: false, channels: null, ignoreQuietHours: false };

/** Topics, channels and quiet hours. Each change is saved at once. */
export function PreferencesPanel({ channels }: { channels: string[] }) {
  const { words } = useGiven();
  const { topics, preferences, problem, saved, save } = usePreferences();
  if (!preferences) {
    return (
      <div className="tocsin-state" aria-busy={!problem}>
        <p role={problem ? "alert" : undefined}>{problem ? problem.message : words.loading}</p>
      </div>
    );
  }
  return (
    <form className="tocsin-scroll tocsin-preferences" onSubmit={(event) => event.preventDefault()}>
      <fieldset>
        <legend>{words.topics}</legend>
        {topics.length === 0 && <p>{words.noTopics}</p>}
        {topics.map((topic) => (
          <Switch key={topic.name} label={topic.name} on={reaches(topic)} change={() => save({ topics: { [topic.name]: switched(topic) } })} />
        ))}
      </fieldset>
      <fieldset>
        <legend>{words.channels}</legend>
        {channels.map((name) => {
          const on = preferences.channels[name] !== false;
          return <Switch key={name} label={words.channel[name] ?? name} on={on} change={() => save({ channels: { [name]: !on } })} />;
        })}
        <ThisBrowser />
      </fieldset>
      <Quiet hours={preferences.quietHours} change={(quietHours) => save({ quietHours })} />
      <p className={problem ? "tocsin-problem" : "tocsin-saved"} role="status">
        {problem ? `${words.notSaved} ${problem.message}` : saved ? words.saved : ""}
      </p>
    </form>
  );
}

function reaches({ wish, optIn }: Topic): boolean {
  return !wish?.muted && (!optIn || wish?.subscribed === true);
}

function switched(topic: Topic): TopicWish {
  const wish = topic.wish ?? NO_WISH;
  const on = !reaches(topic);
  return topic.optIn ? { ...wish, muted: false, subscribed: on } : { ...wish, muted: !on };
}

/** Only where something can be switched: elsewhere nobody here could do anything about it. */
function ThisBrowser() {
  const { words } = useGiven();
  const { standing, turn } = usePush();
  const [problem, setProblem] = useState<Problem | null>(null);
  if (standing !== "on" && standing !== "off" && standing !== "refused") return null;
  const change = () => {
    turn(standing !== "on").then(() => setProblem(null), (error: unknown) => setProblem(asProblem(error)));
  };
  return (
    <>
      <Switch label={words.push} on={standing === "on"} change={change} />
      {standing === "refused" && <p role="status">{words.pushRefused}</p>}
      {problem && <p className="tocsin-problem" role="alert">{problem.message}</p>}
    </>
  );
}

function Switch({ label, on, change }: { label: string; on: boolean; change: () => void }) {
  return (
    <label className="tocsin-switch">
      <span>{label}</span>
      <input type="checkbox" role="switch" checked={on} onChange={change} />
    </label>
  );
}

function Quiet({ hours, change }: { hours: QuietHours | null; change: (hours: QuietHours | null) => void }) {
  const { words } = useGiven();
  const at = (edge: "from" | "to") => (
    <label>
      {words[edge]}
      <input
        type="time"
        key={hours?.[edge]}
        defaultValue={hours?.[edge]}
        onBlur={({ target }) => hours && target.value && target.value !== hours[edge] && change({ ...hours, [edge]: target.value })}
      />
    </label>
  );
  return (
    <fieldset>
      <legend>{words.quiet}</legend>
      <Switch label={words.quietMore} on={hours !== null} change={() => change(hours ? null : NIGHT)} />
      {hours && (
        <div className="tocsin-hours">
          {at("from")}
          {at("to")}
        </div>
      )}
    </fieldset>
  );
}

interface Read {
  topics: Topic[];
  preferences: Preferences | null;
  problem: Problem | null;
  saved: boolean;
}

function usePreferences() {
  const { session } = useGiven().feed;
  const [read, setRead] = useState<Read>({ topics: [], preferences: null, problem: null, saved: false });
  const path = async () => `/users/${await session.userId()}/preferences`;
  const failed = (error: unknown) => setRead((now) => ({ ...now, problem: asProblem(error), saved: false }));

  useEffect(() => {
    let over = false;
    Promise.all([session.call<Topic[]>("GET", "/topics"), path().then((its) => session.call<Preferences>("GET", its))])
      .then(([topics, preferences]) => over || setRead({ topics, preferences, problem: null, saved: false }))
      .catch((error: unknown) => over || failed(error));
    return () => void (over = true);
  }, [session]);

  const save = (change: object) => {
    path()
      .then((its) => session.call<Preferences>("PUT", its, change))
      .then(async (preferences) => setRead({ topics: await session.call<Topic[]>("GET", "/topics"), preferences, problem: null, saved: true }))
      .catch(failed);
  };
  return { ...read, save };
}
