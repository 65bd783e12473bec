import { useEffect, useRef, useState } from "react";
import { progress, usePlaying } from "./play";
import { BARS, loudness } from "./wave";

const STEP = 3;
const HEIGHT = 28;

/** The content behind an address never changes. */
const known = new Map<string, Promise<number[]>>();

/** A sound as it looks, and while it plays how far it is. For eyes alone: its name stands beside it. */
export function Wave({ url }: { url: string }) {
  const loud = useLoudness(url);
  const plays = usePlaying((playing) => playing.url === url);
  const drawing = useRef<SVGSVGElement>(null);
  useEffect(() => {
    if (!plays) return;
    const colour = (part: number) =>
      drawing.current?.childNodes.forEach((bar, place) => (bar as Element).toggleAttribute("data-played", place < part * BARS));
    let frame = requestAnimationFrame(function move() {
      colour(progress());
      frame = requestAnimationFrame(move);
    });
    return () => {
      cancelAnimationFrame(frame);
      colour(0);
    };
  }, [plays]);
  return (
    <svg ref={drawing} className="wave" width={BARS * STEP} height={HEIGHT} aria-hidden data-plays={plays || undefined}>
      {loud.map((each, bar) => {
        const height = Math.max(2, each * HEIGHT);
        return <rect key={bar} x={bar * STEP} y={(HEIGHT - height) / 2} width={2} height={height} rx={1} />;
      })}
    </svg>
  );
}

function useLoudness(url: string): number[] {
  const [loud, setLoud] = useState<number[]>([]);
  useEffect(() => {
    let gone = false;
    const found = known.get(url) ?? loudness(url);
    known.set(url, found);
    found.then((bars) => gone || setLoud(bars)).catch(() => {}); // a picture less
    return () => void (gone = true);
  }, [url]);
  return loud;
}
