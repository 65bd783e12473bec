import CodeEditor from "@/components/ui/CodeEditor";

interface Props {
  value: string;
  change: (cel: string) => void;
  labelledBy: string;
}

export default function CelEditor(props: Props) {
  return <CodeEditor language="cel" {...props} />;
}
