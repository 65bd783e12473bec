import { ActionIcon, Menu, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { IconLogout } from "@/components/ui/icons";
import { leave, useSession } from "@/lib/session";
import { t } from "@/lib/t";

/** The button with one's letter on it, and a menu that begins with who one is. */
export function Account({ note, children }: { note?: string; children: ReactNode }) {
  const user = useSession((session) => session.me?.user);
  if (!user) return null;
  const name = user.name ?? user.email ?? t("You");
  return (
    <Menu position="bottom-end" width={240} withinPortal>
      <Menu.Target>
        <ActionIcon variant="transparent" radius="xl" size="lg" aria-label={t("Account")}>
          <span className="me" data-letter={name.slice(0, 1).toUpperCase()} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <div style={{ padding: "8px 12px" }}>
          <Text size="sm" fw={600} truncate>
            {name}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {[user.roles.join(", "), note].filter(Boolean).join(" · ")}
          </Text>
        </div>
        <Menu.Divider />
        {children}
      </Menu.Dropdown>
    </Menu>
  );
}

const NOTHING = () => Promise.resolve();

/** `before` is what else ends with it in this browser; where that fails, one is signed out all the same. */
export function SignOut({ before = NOTHING }: { before?: () => Promise<void> }) {
  return (
    <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void before().catch(() => {}).then(leave)}>
      {t("Sign out")}
    </Menu.Item>
  );
}
