import { ActionIcon, Button, FileButton, Menu } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { confirm } from "@/components/ui/confirm";
import { IconDots, IconDownload, IconMusic, IconTrash, IconUpload } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { useEnv } from "@/lib/env";
import { queries, usePages } from "@/lib/queries";
import { saveAs } from "@/lib/save";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { Defaults } from "./Defaults";
import { Dropped } from "./Dropped";
import { stop } from "./play";
import { PlayButton } from "./PlayButton";
import { Upload } from "./Upload";
import { Wave } from "./Wave";

type Sound = Schemas["SoundAnswer"];

const ACCEPTED = "audio/*,.wav,.aiff,.aif,.caf,.flac,.ogg,.oga,.opus,.mp3";
const AT_ONCE = 200;

export function Component() {
  const may = useMay("sounds:manage");
  const [file, setFile] = useState<File | null>(null);
  useEffect(() => stop, []);
  const list = usePages(["sounds", "list"], (cursor, signal) =>
    answered(api.GET("/api/v1/sounds", { params: { query: { limit: AT_ONCE, cursor } }, signal })),
  );
  const upload = may && (
    <FileButton onChange={setFile} accept={ACCEPTED} key={file ? "taken" : "free"}>
      {(props) => (
        <Button {...props} leftSection={<IconUpload size={16} aria-hidden />}>
          {t("Upload a sound")}
        </Button>
      )}
    </FileButton>
  );
  return (
    <Page title={t("Sounds")} lead={<Lead may={may} />} actions={upload}>
      <Section>
        <Listing
          label={t("Sounds")}
          query={{ ...list, items: inOrder(list.items) }}
          empty={
            <Empty icon={IconMusic} title={t("No sounds")} action={upload}>
              {t("Upload one of your own.")}
            </Empty>
          }
          columns={[
            { name: t("Name"), cell: (sound) => <Named sound={sound} /> },
            { name: t("Sound"), width: 170, cell: (sound) => <Wave url={sound.url} /> },
            { name: t("Length"), width: 110, cell: (sound) => t("{n} s", { n: sound.duration.toFixed(1) }) },
            { name: t("From"), width: 130, cell: (sound) => <From sound={sound} /> },
            { name: t("Do"), silent: true, width: 60, cell: (sound) => <SoundMenu sound={sound} mayManage={may} /> },
          ]}
        />
      </Section>
      <Defaults sounds={list.items} />
      {may && <Dropped take={setFile} />}
      {file && <Upload key={file.name + file.lastModified} file={file} close={() => setFile(null)} />}
    </Page>
  );
}

function Lead({ may }: { may: boolean }) {
  return (
    <>
      {t("What notifications are heard by.")} {may && <span className="where-dropped">{t("Drop a file anywhere on this page to add it.")}</span>}
    </>
  );
}

/** One's own, newest first; then those that are built in, by name. */
function inOrder(sounds: Sound[]): Sound[] {
  const builtIn = sounds.filter((sound) => sound.builtIn).sort((one, other) => one.name.localeCompare(other.name));
  return [...sounds.filter((sound) => !sound.builtIn), ...builtIn];
}

function Named({ sound }: { sound: Sound }) {
  return (
    <span className="sound-name">
      <PlayButton name={sound.name} url={sound.url} />
      <strong>{sound.name}</strong>
    </span>
  );
}

/** The sandbox hears the live sounds too; there they cannot be changed. */
function From({ sound }: { sound: Sound }) {
  const { env } = useEnv();
  if (sound.builtIn) return <span className="dimmed">{t("built in")}</span>;
  return <span className="chip">{sound.env === env ? t("yours") : t("yours, Live")}</span>;
}

function SoundMenu({ sound, mayManage }: { sound: Sound; mayManage: boolean }) {
  const { env } = useEnv();
  const path = { sound_id: sound.id };
  const removing = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/sounds/{sound_id}", { params: { path } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["sounds"] }),
    onError: tellProblem,
  });
  const fetching = useMutation({
    mutationFn: async (format: "mp3" | "wav") => {
      const file = (await answered(api.GET("/api/v1/sounds/{sound_id}/file", { params: { path, query: { format } }, parseAs: "blob" }))) as Blob;
      saveAs(file, `${sound.name}.${format}`);
    },
    onError: tellProblem,
  });
  const ask = () =>
    confirm({
      title: t("Delete {name}?", { name: sound.name }),
      text: t("Notifications that were made with it are silent from now on."),
      yes: t("Delete"),
      act: () => removing.mutate(),
    });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon className="row-act sound-menu" variant="subtle" color="gray" aria-label={t("What to do with {name}", { name: sound.name })} loading={removing.isPending || fetching.isPending}>
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconDownload size={16} />} onClick={() => fetching.mutate("mp3")}>
          {t("Download the MP3")}
        </Menu.Item>
        <Menu.Item leftSection={<IconDownload size={16} />} onClick={() => fetching.mutate("wav")}>
          {t("Download a WAV, for an app")}
        </Menu.Item>
        {mayManage && !sound.builtIn && sound.env === env && (
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={ask}>
            {t("Delete")}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
