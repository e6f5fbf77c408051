// `npm run crd`: prints the CustomResourceDefinition for crds/. A test holds the file equal to this.
import { customResourceText } from './custom-resource-definition.ts';

process.stdout.write(customResourceText());
