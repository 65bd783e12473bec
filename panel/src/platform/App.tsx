import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "react-router";
import { schemes, themeOf, variablesOf } from "@/app/theme";
import { PLATFORM_COLOUR } from "@/components/brand/house";
import { queries } from "@/lib/queries";
import { router } from "./routes";

const theme = themeOf(PLATFORM_COLOUR);
const variables = variablesOf(PLATFORM_COLOUR);

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} colorSchemeManager={schemes} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <ModalsProvider>
          <Notifications position="bottom-right" limit={4} />
          <RouterProvider router={router} />
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
