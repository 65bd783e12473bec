import { NotificationBell, TocsinProvider } from "@tocsin/react";
import "@tocsin/react/style.css";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

interface Shop {
  url: string;
  apiKey: string;
  name: string;
  people: Record<string, string>;
}

const asked = new URLSearchParams(location.search);
const who = asked.get("as") ?? "ann";
if (asked.has("rtl")) document.documentElement.dir = "rtl";

/** The shop knows who is signed in; here, whoever the address names. */
const getToken = () => fetch(`/token?as=${who}`).then((answer) => answer.text());

function Page({ shop }: { shop: Shop }) {
  const [sent, setSent] = useState("");
  const send = async (what: string) => setSent(await fetch(`/${what}`, { method: "POST" }).then((answer) => answer.text()));
  return (
    <TocsinProvider key={who} url={shop.url} apiKey={shop.apiKey} getToken={getToken} pushWorker="/tocsin-push.js">
      <header>
        <strong>{shop.name}</strong>
        <span>{shop.people[who] ?? who}</span>
        <NotificationBell channels={["email", "push", "telegram"]} />
      </header>
      <main>
        <h1>Behind the counter</h1>
        <p>
          Open this page again as {Object.keys(shop.people).filter((each) => each !== who).map((each) => <a key={each} href={`?as=${each}`} target="_blank" rel="noreferrer">{each} </a>)}
          and click once in each window, so that it may be heard. Then place an order.
        </p>
        <div className="actions">
          <button type="button" onClick={() => void send("order")}>A customer orders</button>
          <button type="button" onClick={() => void send("stock")}>Beans run low</button>
        </div>
        <p role="status">{sent}</p>
      </main>
    </TocsinProvider>
  );
}

const shop = (await fetch("/shop").then((answer) => answer.json())) as Shop;
document.title = shop.name;
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Page shop={shop} />
  </StrictMode>,
);
