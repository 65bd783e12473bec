import { Anchor, Group, Text } from "@mantine/core";
import { notifications as toasts } from "@mantine/notifications";
import { useEffect } from "react";
import { useHref, useNavigate } from "react-router";
import { onOwn } from "@/lib/live";
import { playable } from "@/lib/playable";
import { t } from "@/lib/t";
import { takeAway } from "../push/browser";
import { AckButton } from "./Acknowledge";
import { hush, ring } from "./ring";

/** A notification as the socket brings it. */
interface Arrival {
  id: string;
  title: string;
  message: string;
  soundUrl: string | null;
  priority: string;
  requireAck: boolean;
}

const MOST = 3;
const READ_MS = 8_000;
const COLOURS: Record<string, string> = { critical: "red", high: "orange" };

/** What arrives for whoever is signed in is heard, and shown on whichever page is open. An acknowledgement, by whomever, ends both. */
export function Arrivals() {
  const go = useNavigate();
  const list = useHref("/notifications");
  useEffect(() => {
    const shown = new Map<string, Arrival>();

    function arrive(one: Arrival): void {
      if (one.soundUrl) ring(one.id, playable(one.soundUrl));
      if (!shown.has(one.id) && shown.size >= MOST) toasts.hide(leastOf(shown).id);
      shown.set(one.id, one);
      toasts.show({
        id: one.id,
        title: one.title,
        message: <Choices one={one} href={`${list}/${one.id}`} open={() => open(one.id)} done={() => leave(one.id)} />,
        color: COLOURS[one.priority],
        autoClose: one.requireAck ? false : READ_MS,
        onClose: () => shown.delete(one.id),
      });
    }

    function open(id: string): void {
      leave(id);
      void go(`/notifications/${id}`);
    }

    function leave(id: string): void {
      hush(id);
      toasts.hide(id);
      void takeAway(id);
    }

    const stop = onOwn((event, data) => {
      if (event === "notification.created" || event === "notification.repeated") arrive(data as Arrival);
      else if (event === "notification.acknowledged") leave((data as Arrival).id);
    });
    return () => {
      stop();
      [...shown.keys()].forEach(leave);
      hush();
    };
  }, [go, list]);
  return null;
}

/** What gives way to something new: the oldest that nobody has to acknowledge. All of them are on the page of notifications. */
function leastOf(shown: Map<string, Arrival>): Arrival {
  const all = [...shown.values()];
  return all.find(({ requireAck }) => !requireAck) ?? all[0]!;
}

/** Toasts stand outside the router, so the link goes by `open`. */
function Choices({ one, href, open, done }: { one: Arrival; href: string; open: () => void; done: () => void }) {
  return (
    <>
      {one.message && (
        <Text size="sm" c="var(--mantine-color-text)" lineClamp={3}>
          {one.message}
        </Text>
      )}
      <Group gap="md" mt="xs">
        <AckButton one={{ ...one, acknowledgedBy: [] }} done={done} />
        <Anchor
          href={href}
          size="sm"
          onClick={(event) => {
            event.preventDefault();
            open();
          }}
        >
          {t("Open")}
        </Anchor>
      </Group>
    </>
  );
}
