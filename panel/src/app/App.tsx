import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { RouterProvider } from "react-router";
import { visitId } from "@/lib/place";
import { queries } from "@/lib/queries";
import { useColour } from "@/components/brand/brand";
import { useLook } from "@/components/brand/look";
import { router } from "./routes";
import { schemes, themeOf, variablesOf } from "./theme";

const Visiting = lazy(() => import("@/features/visit/Visiting"));

export function App() {
  const colour = useColour();
  useLook();
  const theme = useMemo(() => themeOf(colour), [colour]);
  const variables = useMemo(() => variablesOf(colour), [colour]);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      colorSchemeManager={schemes}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={queries}>
        <ModalsProvider>
          <Notifications position="bottom-right" limit={4} />
          {visitId ? (
            <Suspense>
              <Visiting>
                <RouterProvider router={router} />
              </Visiting>
            </Suspense>
          ) : (
            <RouterProvider router={router} />
          )}
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
